"""Tells how little of another sound a scorer hears in an estimate.

    python benchmarks/leaks.py --root egs/music/data/mini

Clips of the validation split get another one's sound at a lower level. Printed: how often the own
phrase is nearer to them than the other phrase, and than the caption that names both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.queries import mixture_caption, phrase_prompt
from asteroid_bimodal.scorers import ClapScorer

LEVELS = (-60, -20, -17, -14, -10, -6, -3, 0)  # dB of the second sound, relative to the first


def main() -> None:
    """Prints a row for each level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--root", type=Path, default=Path("egs/music/data/mini"))
    parser.add_argument("--scorer", default="mini")
    parser.add_argument("--num_items", type=int, default=256)
    parser.add_argument("--sample_rate", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    scorer = ClapScorer(args.scorer)
    own, other, labels = _pairs(args)
    phrases = [scorer.embed_text([phrase_prompt(pair[n]) for pair in labels]) for n in (0, 1)]
    captions = scorer.embed_text([mixture_caption(pair) for pair in labels])
    print("| the other at, dB | own phrase before the other's | own phrase before the caption |")
    print("|-:|-:|-:|")
    for level in LEVELS:
        with torch.no_grad():
            heard = scorer.embed_audio(own + 10 ** (level / 20) * other, args.sample_rate)
        right, wrong, both = ((heard * text).sum(-1) for text in (*phrases, captions))
        print(f"| {level} | {_percent(right > wrong)} | {_percent(right > both)} |")


def _pairs(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor, list[list[str]]]:
    """Returns clips, others of the same RMS, both (M, T), and their labels."""
    pairs = LabelledMixtures(
        args.root / "valid.csv",
        sample_rate=args.sample_rate,
        num_samples=round(args.seconds * args.sample_rate),
        num_sources=1,
        num_mixtures=2,
        epoch_size=args.num_items,
        gain=(1.0, 1.0),
    )
    examples = [pairs[index] for index in range(args.num_items)]
    own, other = torch.stack([example.mixtures for example in examples], dim=1)
    rms = [wav.square().mean(-1, keepdim=True).sqrt() for wav in (own, other)]
    labels = [[label for (label,) in example.labels] for example in examples]
    return own, other * rms[0] / rms[1].clamp_min(1e-4), labels


def _percent(hits: torch.Tensor) -> str:
    return f"{100 * hits.float().mean():.0f} %"


if __name__ == "__main__":
    main()
