"""Tells what a separator makes of sounds that are not there.

    python benchmarks/presence.py --model mini

Every mixture of the pinned 2-source test list is asked for the labels that it holds and for all
others. Printed: the energy of the estimates of absent sounds relative to the mixture, and how well
the presence score tells present from absent (area under the ROC curve; 0.5 is chance).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torchmetrics.functional.classification import binary_auroc
from tqdm import tqdm

from asteroid_bimodal.engine.loaders import build_test_set, labels_of
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import phrase_prompt

RECIPE = Path(__file__).parents[1] / "egs/music"


def decibels(energy: torch.Tensor) -> torch.Tensor:
    """Energy ratios in decibels, -80 at least."""
    return 10 * energy.clamp_min(1e-8).log10()


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints the figures of one model."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", default="mini")
    args, rest = parser.parse_known_args(options)
    conf = recipe_conf(RECIPE, rest)
    model = load_separator(args.model)
    items, labels = build_test_set(conf, "test", 2), labels_of(conf)
    phrases = [phrase_prompt(label, conf.data.prompt) for label in labels]
    query = model.encode_queries(phrases, 1)
    scores, levels, present = [], [], []
    usable = [item for item in map(items.__getitem__, range(len(items))) if not item.skipped]
    for item in tqdm(usable):
        separation = model.separate_spectra(item.mixture[None], query)
        scores.append(separation.presence[0])
        energy = separation.estimates.square().sum((-2, -1)) / separation.magnitude.square().sum()
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
    main(sys.argv[1:])
