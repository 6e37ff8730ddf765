"""Masks of stereo mixtures: one from the mean of the channels, or one for each channel.

Every pair of recordings with different labels is mixed at equal loudness, panned apart, and
separated by the two labels. An estimate is compared with its recording as it was panned: SDR over
both channels, and how far the level difference between its channels is off.

    python benchmarks/stereo.py recordings/manifest.csv [--model mini] [--seconds 4]

The manifest is a CSV with the columns `path` (relative to it) and `label`; recordings whose label
the model does not know are left out with `--labels violin flute ...`.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from pairs import count, find_pairs, pair_parser, read
from torch import Tensor
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.models import QueriedSeparator

ROOT = math.sqrt(0.5)
# Gains of left and right, of constant power, for the first recording; the second one's are swapped.
PANNING = {
    "6 dB apart": (2 / math.sqrt(5), 1 / math.sqrt(5)),
    "12 dB apart": (4 / math.sqrt(17), 1 / math.sqrt(17)),
    "left and right alone": (1.0, 0.0),
    "one out of phase": (ROOT, -ROOT),
}


def pan(one: Tensor, other: Tensor, name: str) -> Tensor:
    """Puts two recordings at their places: (2 recordings, 2 channels, T)."""
    left, right = PANNING[name]
    swapped = (abs(right), abs(left))
    return torch.stack(
        [
            torch.tensor(gains).unsqueeze(1) * wav
            for gains, wav in [((left, right), one), (swapped, other)]
        ]
    )


def separate(model: QueriedSeparator, mixture: Tensor, queries: list[str], how: str) -> Tensor:
    """Separates (2 channels, T) into (2 queries, 2 channels, T)."""
    if how == "mean":
        return model.torch_separate(mixture.unsqueeze(0), queries)[0]
    return model.torch_separate(mixture.unsqueeze(1), queries).transpose(0, 1)


def sdr(estimate: Tensor, reference: Tensor) -> float:
    """Decibels of the reference over the error, both channels together."""
    error = (estimate - reference).square().sum().clamp_min(1e-12)
    return 10 * float(torch.log10(reference.square().sum() / error))


def level_error(estimate: Tensor, reference: Tensor) -> float:
    """How many decibels the level of left over right is off, nothing below -60 dB of the louder."""

    def difference(wav: Tensor) -> float:
        energy = wav.square().sum(-1)
        left, right = energy.clamp_min(1e-6 * float(energy.max())).tolist()
        return 10 * math.log10(left / right)

    return abs(difference(estimate) - difference(reference))


def main(options: list[str]) -> None:
    """Prints SDR improvement and level error for each panning."""
    args = pair_parser(__doc__.splitlines()[0]).parse_args(options)
    pairs, model = find_pairs(args), load_model(args.model)
    rows = []
    for pair in tqdm(pairs):
        one, other = (read(clip, args.seconds, model.sample_rate) for clip in pair)
        queries = [args.prompt.format(clip.label) for clip in pair]
        for panning in PANNING:
            references = pan(one, other, panning)
            mixture = references.sum(0)
            for how in ("mean", "each"):
                estimates = separate(model, mixture, queries, how)
                for estimate, reference in zip(estimates, references, strict=True):
                    gain = sdr(estimate, reference) - sdr(mixture, reference)
                    off = level_error(estimate, reference)
                    rows.append({"panning": panning, "masks": how, "sdr_imp": gain, "level": off})
    means = pd.DataFrame(rows).groupby(["panning", "masks"], sort=False).mean()
    print(means.unstack().round(2).to_string())
    print(count(pairs))


if __name__ == "__main__":
    run_script(main)
