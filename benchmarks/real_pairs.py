"""How much a separator helps on pairs of real recordings.

Every pair of recordings with different labels is mixed at equal loudness, separated by the two
labels, and scored with BSS-eval v3 against the recordings.

    python benchmarks/real_pairs.py recordings/manifest.csv [--model mini] [--seconds 4]

The manifest is a CSV with the columns `path` (relative to it) and `label`; recordings whose label
the model does not know are left out with `--labels violin flute ...`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from pairs import count, find_pairs, pair_parser, read
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.metrics import bss_eval


def main(options: list[str]) -> None:
    """Prints the mean improvement in all, and for each label."""
    args = pair_parser(__doc__.splitlines()[0]).parse_args(options)
    pairs, model = find_pairs(args), load_model(args.model)
    rows = []
    for pair in tqdm(pairs):
        references = torch.stack([read(clip, args.seconds, model.sample_rate) for clip in pair])
        mixture = references.sum(0)
        queries = [args.prompt.format(clip.label) for clip in pair]
        estimates = model.torch_separate(mixture, queries)
        before = bss_eval(torch.stack([mixture, mixture]), references)["sdr"]
        after = bss_eval(estimates, references)["sdr"]
        rows += [
            {"label": clip.label, "sdr": sdr, "sdr_imp": sdr - start}
            for clip, sdr, start in zip(pair, after, before, strict=True)
        ]
    scores = pd.DataFrame(rows)
    print(scores.groupby("label").agg(["mean", "count"]).round(2).to_string())
    improvement = scores.sdr_imp.to_numpy()
    print(
        f"{count(pairs)}: SDR {scores.sdr.mean():.2f} dB, "
        f"improvement {improvement.mean():.2f} dB, positive in {np.mean(improvement > 0):.0%}"
    )


if __name__ == "__main__":
    run_script(main)
