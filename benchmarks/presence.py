"""Tells what a separator makes of sounds that are not there.

    python benchmarks/presence.py --model mini
    python benchmarks/presence.py --model mini-events --recipe vggsound

Every mixture of the pinned 2-source test list is asked for the labels that it holds and for all
others. Printed: the energy of the estimates of absent sounds relative to the mixture, and how well
the presence score tells present from absent (area under the ROC curve; 0.5 is chance).
"""

from __future__ import annotations

import torch
from pinned import pinned_parser, read_pinned, scorable
from torchmetrics.functional.classification import binary_auroc
from tqdm import tqdm

from asteroid_bimodal.engine.loaders import labels_of
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import phrase_prompt


def decibels(energy: torch.Tensor) -> torch.Tensor:
    """Energy ratios in decibels, -80 at least."""
    return 10 * energy.clamp_min(1e-8).log10()


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints the figures of one model."""
    args, rest = pinned_parser().parse_known_args(options)
    conf, items = read_pinned(args, rest)
    model, usable, labels = load_separator(args.model), scorable(items), labels_of(conf)
    phrases = [phrase_prompt(label, conf.data.prompt) for label in labels]
    query = model.encode_queries(phrases, 1)
    scores, levels, present = [], [], []
    for item in tqdm(usable):
        spectra = model.separate_spectra(item.mixture[None], query)
        scores.append(spectra.presence[0])
        energy = spectra.estimates.square().sum((-2, -1)) / spectra.magnitude.square().sum()
        levels.append(decibels(energy[0]))
        present.append(torch.tensor([label in item.labels for label in labels]))
    scores, levels, present = torch.cat(scores), torch.cat(levels), torch.cat(present)
    print(f"{args.model}, {len(usable)} of {len(items)} mixtures, {len(labels)} queries each")
    print(f"level of present sounds: {levels[present].mean():6.1f} dB of the mixture")
    print(f"level of absent sounds:  {levels[~present].mean():6.1f} dB of the mixture")
    print(f"presence, present: {scores[present].mean():.3f}, absent: {scores[~present].mean():.3f}")
    print(f"area under the ROC curve, presence: {binary_auroc(scores, present):.3f}")
    print(f"area under the ROC curve, level:    {binary_auroc(levels, present):.3f}")


if __name__ == "__main__":
    run_script(main)
