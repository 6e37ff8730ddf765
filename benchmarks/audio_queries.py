"""Tells whether a sound can ask as well as a word: SDR by audio example against SDR by text.

    python benchmarks/audio_queries.py --model mini

Every source of the pinned 2-source test list is asked for twice: by its phrase, and by an excerpt
of another recording of the same label, drawn from the validation split. Printed: both SDR
improvements over the mixture, their difference with its 95 % interval, and how often a source is
nearer to the estimate by its own excerpt than to the one by the other source's. Mixtures of which a
source or an example cannot be read are left out and counted.
"""

from __future__ import annotations

from pathlib import Path

import torch
from pinned import pinned_parser, read_pinned
from torch import Tensor
from tqdm import tqdm

from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.data.datasets import EvaluationItem
from asteroid_bimodal.data.manifest import Clip, by_label, read_manifest
from asteroid_bimodal.engine.loaders import labels_of
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import QueriedSeparator, load_separator
from asteroid_bimodal.queries import AudioExample, ClapAudioEncoder, QueryEmbedding
from asteroid_bimodal.utils.audio_file import UnreadableAudioError


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints the figures of one model."""
    parser = pinned_parser()
    parser.add_argument("--seconds", type=float, default=5.0, help="of an example")
    args, rest = parser.parse_known_args(options)
    conf, items = read_pinned(args, rest)
    root, rate = Path(conf.data.root), conf.data.sample_rate
    model = load_separator(args.model)
    encoder = ClapAudioEncoder(conf.query.clap, labels_of(conf))
    clips = by_label(read_manifest(root / "valid.csv"))
    generator = torch.Generator().manual_seed(0)
    gains, left_out = [], []
    for item in tqdm([items[index] for index in range(len(items))]):
        # Drawn for those that are left out, too: the others' examples do not depend on them.
        draws = [draw_excerpt(clips[label], args.seconds, generator) for label in item.labels]
        problems = [skipped.reason for skipped in item.skipped]
        try:
            examples = [read_example(root, rate, args.seconds, *draw) for draw in draws]
        except UnreadableAudioError as error:
            problems.append(str(error))
        if problems:
            left_out.append(problems[0])
            continue
        gains.append(improvements(model, item, encoder([examples])))
    if not gains:
        raise ValueError(f"No item of {items.name} can be scored: {left_out[-1]}")
    by_text, by_sound, by_wrong = torch.cat(gains, dim=1)
    difference = by_sound - by_text
    half = 1.96 * difference.std() / len(difference) ** 0.5
    print(f"{args.model}, {len(gains)} mixtures, examples of {args.seconds:g} s")
    if left_out:
        print(f"{len(left_out)} of {len(items)} were left out, the last one: {left_out[-1]}")
    print(f"SDR improvement by text:          {by_text.mean():.2f} dB")
    print(f"SDR improvement by audio example: {by_sound.mean():.2f} dB")
    print(f"difference: {difference.mean():+.2f} dB, 95 % interval ±{half:.2f} dB")
    print(f"right example before the wrong one: {100 * (by_sound > by_wrong).float().mean():.1f} %")


def draw_excerpt(
    clips: list[Clip], seconds: float, generator: torch.Generator
) -> tuple[Clip, float]:
    """Draws one of the clips and where in it an excerpt starts."""
    clip = clips[int(torch.randint(len(clips), (1,), generator=generator))]
    return clip, float(torch.rand(1, generator=generator)) * max(0.0, clip.seconds - seconds)


def read_example(root: Path, rate: int, seconds: float, clip: Clip, start: float) -> AudioExample:
    """Reads an excerpt."""
    return AudioExample(read_crop(root / clip.path, start, round(seconds * rate), rate), rate)


def improvements(model: QueriedSeparator, item: EvaluationItem, sounds: QueryEmbedding) -> Tensor:
    """SDR improvements (3, K): by text, by audio example, and by the other source's example."""
    before = sdr(item.mixture.expand_as(item.references), item.references)
    by_text = model(item.mixture, item.phrases)
    by_sound = model(item.mixture, sounds)
    estimates = (by_text, by_sound, by_sound.flip(0))
    return torch.stack([sdr(estimate, item.references) - before for estimate in estimates])


def sdr(estimates: Tensor, references: Tensor) -> Tensor:
    """SDR of each source, (K,), in dB."""
    return torch.as_tensor(bss_eval(estimates, references)["sdr"])


if __name__ == "__main__":
    run_script(main)
