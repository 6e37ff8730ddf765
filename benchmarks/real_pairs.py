"""How much a separator helps on pairs of real recordings.

Every pair of recordings with different labels is mixed at equal loudness, separated by the two
labels, and scored with BSS-eval v3 against the recordings.

    python benchmarks/real_pairs.py recordings/manifest.csv [--model mini] [--seconds 4]

The manifest is a CSV with the columns `path` (relative to it) and `label`; recordings whose label
the model does not know are left out with `--labels violin flute ...`.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from asteroid_bimodal.data.audio import read_crop
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.metrics import bss_eval

LOUDNESS = 0.05  # RMS of each recording in a mixture


def read(path: Path, seconds: float, sample_rate: int) -> Tensor:
    """Reads the beginning of a recording at the common loudness."""
    wav = read_crop(path, 0.0, round(seconds * sample_rate), sample_rate)
    return LOUDNESS * wav / wav.square().mean().sqrt().clamp(min=1e-6)


def main() -> None:
    """Prints the mean improvement in all, and for each label."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--labels", nargs="+", help="use recordings of these labels alone")
    parser.add_argument("--prompt", default="The sound of {}")
    args = parser.parse_args()
    model = load_model(args.model)
    table = pd.read_csv(args.manifest)
    if args.labels:
        table = table[table.label.isin(args.labels)]
    clips = [
        (row.label, read(args.manifest.parent / row.path, args.seconds, model.sample_rate))
        for row in table.itertuples()
    ]
    pairs = [pair for pair in combinations(clips, 2) if pair[0][0] != pair[1][0]]
    rows = []
    for (first, one), (second, other) in tqdm(pairs):
        references = torch.stack([one, other])
        mixture = references.sum(0)
        queries = [args.prompt.format(first), args.prompt.format(second)]
        estimates = model.separate(mixture, queries)
        before = bss_eval(torch.stack([mixture, mixture]), references)["sdr"]
        after = bss_eval(estimates, references)["sdr"]
        rows += [
            {"label": label, "sdr": sdr, "sdr_imp": sdr - start}
            for label, sdr, start in zip((first, second), after, before, strict=True)
        ]
    scores = pd.DataFrame(rows)
    print(scores.groupby("label").agg(["mean", "count"]).round(2).to_string())
    improvement = scores.sdr_imp.to_numpy()
    print(
        f"{len(pairs)} pairs of {len(clips)} recordings: SDR {scores.sdr.mean():.2f} dB, "
        f"improvement {improvement.mean():.2f} dB, positive in {np.mean(improvement > 0):.0%}"
    )


if __name__ == "__main__":
    main()
