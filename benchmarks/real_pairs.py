"""How much a separator helps on pairs of real recordings.

Every pair of recordings with different labels of one kind of the model's vocabulary, or of speech
and an everyday sound, is mixed at equal loudness and at other levels, separated by the two labels,
and scored with BSS-eval v3 against the recordings.

    python benchmarks/real_pairs.py recordings/manifest.csv [--model small] [--levels 0 10 -10]

The manifest is a CSV with the columns `path` (relative to it) and `label`. Recordings whose label
the model does not know are left out; of a model without a vocabulary, name the `--labels`.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pandas as pd
import torch
from pairs import Recording, find_fitting_pairs, heard, known_sounds, pair_parser, read
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.metrics import bss_eval, si_sdr, write_rows
from asteroid_bimodal.models import QueriedSeparator


def main(options: list[str]) -> None:
    """Prints the mean improvement of each kind of sound at each level, and of each label."""
    parser = pair_parser(__doc__.splitlines()[0])
    parser.add_argument("--levels", nargs="+", type=float, default=[0.0])
    parser.add_argument("--share", action="store_true", help="the two queries share the mixture")
    parser.add_argument("--scores", type=Path, help="CSV file for all scores")
    args = parser.parse_args(options)
    model = load_model(args.model).eval()
    sounds = known_sounds(model.vocabulary)
    pairs = find_fitting_pairs(args, sounds)
    rows = [
        {**row, "kind": sound.kind, "label": sound.label}
        for pair in tqdm(pairs, disable=None)
        for level in args.levels
        for row, sound in zip(score(model, pair, level, args), heard(pair, sounds), strict=True)
    ]
    scores = pd.DataFrame(rows)
    if args.scores:
        write_rows(rows, args.scores)
    print(f"{args.model}: {len(pairs)} pairs of {scores.path.nunique()} recordings")
    print(summary(scores, ["kind", "label"]).to_string())
    print(summary(scores, ["kind", "level"]).to_string())


@torch.inference_mode()
def score(
    model: QueriedSeparator, pair: tuple[Recording, Recording], level: float, args: Namespace
) -> list[dict]:
    """Scores both recordings of a pair, the first of which is `level` dB louder."""
    references = torch.stack([read(clip, args.seconds, model.sample_rate) for clip in pair])
    references = references * 10 ** (torch.tensor([[level], [-level]]) / 40)
    mixture = references.sum(0)
    queries = [args.prompt.format(clip.label) for clip in pair]
    spectra = model.separate_spectra(mixture[None], model.encode_queries(queries, 1))
    estimates = model.decode(spectra.shared() if args.share else spectra)[0, :, 0]  # (2, T)
    after, before = (
        {**bss_eval(signals, references), "si_sdr": si_sdr(signals, references)}
        for signals in (estimates, mixture.expand(2, -1))
    )
    return [
        {
            "path": clip.path.name,
            "level": level if index == 0 else -level,
            "sdr": float(after["sdr"][index]),
            "sdr_imp": float(after["sdr"][index] - before["sdr"][index]),
            "si_sdr_imp": float(after["si_sdr"][index] - before["si_sdr"][index]),
        }
        for index, clip in enumerate(pair)
    ]


def summary(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean SDR and improvement in dB of groups of scores, and the share that is better."""
    groups = scores.groupby(by)
    return pd.DataFrame(
        {
            "SDR": groups.sdr.mean().round(2),
            "improvement": groups.sdr_imp.mean().round(2),
            "better": groups.sdr_imp.apply(lambda gains: f"{(gains > 0).mean():.0%}"),
            "recordings": groups.path.nunique(),
            "scores": groups.size(),
        }
    )


if __name__ == "__main__":
    run_script(main)
