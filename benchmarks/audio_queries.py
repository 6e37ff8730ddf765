"""Tells whether a sound can ask as well as a word: SDR by audio example against SDR by text.

    python benchmarks/audio_queries.py --model mini

Every source of the pinned 2-source test list is asked for twice: by its phrase, and by an excerpt
of another recording of the same label, drawn from the validation split. Printed: both SDR
improvements over the mixture, their difference with its 95 % interval, and how often a source is
nearer to the estimate by its own excerpt than to the one by the other source's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from asteroid_bimodal.data.audio import read_crop
from asteroid_bimodal.data.manifest import Clip, by_label, read_manifest
from asteroid_bimodal.engine.loaders import build_test_set, labels_of
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import AudioExample, ClapAudioEncoder

RECIPE = Path(__file__).parents[1] / "egs/music"


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints the figures of one model."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=float, default=5.0, help="of an example")
    args, rest = parser.parse_known_args(options)
    conf = recipe_conf(RECIPE, rest)
    root, rate = Path(conf.data.root), conf.data.sample_rate
    model, items = load_separator(args.model), build_test_set(conf, "test", 2)
    encoder = ClapAudioEncoder(conf.query.clap, labels_of(conf))
    clips = by_label(read_manifest(root / "valid.csv"))
    generator = torch.Generator().manual_seed(0)
    gains = []
    for item in tqdm([items[index] for index in range(len(items))]):
        examples = [
            draw_example(clips[label], root, rate, args.seconds, generator) for label in item.labels
        ]
        before = sdr(item.mixture.expand_as(item.references), item.references)
        by_text = sdr(model(item.mixture, item.phrases), item.references)
        estimates = model(item.mixture, encoder([examples]))
        by_sound, by_wrong = (sdr(e, item.references) for e in (estimates, estimates.flip(0)))
        gains.append(torch.stack([by_text - before, by_sound - before, by_wrong - before]))
    by_text, by_sound, by_wrong = torch.cat(gains, dim=1)
    difference = by_sound - by_text
    half = 1.96 * difference.std() / len(difference) ** 0.5
    print(f"{args.model}, {len(items)} mixtures, examples of {args.seconds:g} s")
    print(f"SDR improvement by text:          {by_text.mean():.2f} dB")
    print(f"SDR improvement by audio example: {by_sound.mean():.2f} dB")
    print(f"difference: {difference.mean():+.2f} dB, 95 % interval ±{half:.2f} dB")
    print(f"right example before the wrong one: {100 * (by_sound > by_wrong).float().mean():.1f} %")


def draw_example(
    clips: list[Clip], root: Path, rate: int, seconds: float, generator: torch.Generator
) -> AudioExample:
    """Draws an excerpt of one of the clips."""
    clip = clips[int(torch.randint(len(clips), (1,), generator=generator))]
    start = float(torch.rand(1, generator=generator)) * max(0.0, clip.seconds - seconds)
    return AudioExample(read_crop(root / clip.path, start, round(seconds * rate), rate), rate)


def sdr(estimates: Tensor, references: Tensor) -> Tensor:
    """SDR of each source, (K,), in dB."""
    return torch.as_tensor(bss_eval(estimates, references)["sdr"])


if __name__ == "__main__":
    main(sys.argv[1:])
