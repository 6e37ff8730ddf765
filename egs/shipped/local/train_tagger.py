"""Stage 4: trains a tagger to hear, in a separator's spectra, which of the known sounds are there.

    python local/train_tagger.py exp/small_silence data/sounds exp/small_tagger [--steps 9000]

It learns from mixtures of one to three clips, made of their energies in mel bands, which add up
nearly as the clips do, and writes the separator with it. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, normalize, pad
from torch.utils.data import DataLoader, IterableDataset
from torchmetrics.functional.classification import binary_auroc

from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.data.manifest import Clip, by_label, read_manifest
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.engine.trainer import choose_precision
from asteroid_bimodal.masknn import Tagger
from asteroid_bimodal.models import QueriedSeparator, load_separator
from asteroid_bimodal.models.likelihood import PASSAGE
from asteroid_bimodal.utils.checkpoints import read_tensors
from asteroid_bimodal.utils.files import atomic_write

Clips = Mapping[str, Sequence[Tensor]]  # of each label, in dB in mel bands (M, T)

NUM_SOUNDS = (1, 1, 2, 2, 2, 3)  # of a mixture, drawn from these
LEVEL_STD = 5.0  # dB, of the levels of sounds in a mixture
COLOUR_STD, COLOUR_NODES = 4.0, 6  # dB, of a random equaliser
WIDEST_BANDS, LONGEST_FRAMES = 10, 20  # that a mask hides, twice each
SURE = 0.95  # target of what is there: it may be silent in an excerpt
FAINTEST = 1e-9  # -90 dB of a clip's mean
VALID_PAIRS, ABSENT = 400, 4  # pairs for validation, and what is asked for besides in each
SAVE_EVERY = 250  # steps


def hear(model: QueriedSeparator, tagger: Tagger, manifest: Path) -> Clips:
    """The energies of all clips of a manifest, relative to each clip's mean, in half precision."""

    def decibels(clip: Clip) -> Tensor:
        rate = int(model.sample_rate)
        wav = read_crop(manifest.parent / clip.path, 0.0, round(clip.seconds * rate), rate)
        mel = tagger.mel(model.magnitude(wav.unsqueeze(0)))[0]
        return (10 * (mel / mel.mean().clamp_min(1e-12)).clamp_min(FAINTEST).log10()).half()

    with torch.inference_mode():
        return {
            label: [decibels(clip) for clip in clips]
            for label, clips in by_label(read_manifest(manifest)).items()
        }


def excerpt(clip: Tensor, frames: int, start: float) -> Tensor:
    """Energies (M, frames) of mean 1, from a place between 0 and 1; a short clip stands in silence.

    Near silence stays quiet.
    """
    spare = clip.shape[1] - frames
    offset = round(start * abs(spare))
    if spare < 0:
        cut = pad(clip.float(), (offset, -spare - offset), value=-90.0)
    else:
        cut = clip[:, offset : offset + frames].float()
    energies = 10 ** (cut / 10)
    return energies / energies.mean().clamp_min(1e-7)


class Mixtures(IterableDataset):
    """Batches of mixtures (B, M, T) and which labels they hold (B, L); step n is always the same.

    Args:
        clips: to mix.
        labels: in the order of the columns.
        frames: of a mixture.
        args: `steps`, `batch_size` and `seed`.
        begin: the first step.
    """

    def __init__(
        self, clips: Clips, labels: list[str], frames: int, args: argparse.Namespace, begin: int
    ) -> None:
        self.clips, self.labels, self.frames, self.args = clips, labels, frames, args
        self.begin = begin

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        torch.set_num_threads(1)
        for step in range(self.begin, self.args.steps):
            rng = random.Random(f"{self.args.seed} {step}")
            generator = torch.Generator().manual_seed(rng.getrandbits(40))
            mixtures, there = zip(
                *(self._mixture(rng, generator) for _ in range(self.args.batch_size)), strict=True
            )
            yield torch.stack(mixtures), torch.stack(there)

    def _mixture(self, rng: random.Random, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        there = torch.zeros(len(self.labels))
        mixture = torch.zeros(())
        for label in rng.sample(sorted(self.clips), rng.choice(NUM_SOUNDS)):
            there[self.labels.index(label)] = 1
            sound = excerpt(rng.choice(self.clips[label]), self.frames, rng.random())
            nodes = COLOUR_STD * torch.randn(1, 1, COLOUR_NODES, generator=generator)
            gains = interpolate(nodes, len(sound), mode="linear", align_corners=True)[0, 0]
            gains = gains + rng.gauss(0, LEVEL_STD)
            mixture = mixture + sound * 10 ** (gains[:, None] / 10)
        for _ in range(2):
            for axis, longest in ((0, WIDEST_BANDS), (1, LONGEST_FRAMES)):
                size = rng.randrange(longest)
                hidden = mixture.narrow(axis, rng.randrange(mixture.shape[axis] - size), size)
                hidden.fill_(mixture.mean())
        return mixture, there


def validation_pairs(
    clips: Clips, kinds: Mapping[str, str], labels: list[str], frames: int
) -> tuple[Tensor, Tensor]:
    """Mixtures (N, M, T) of two sounds, and of each the labels that are asked for, (N, 2 + A).

    The first two are there, the others of the same kinds are not.
    """
    rng, mixtures, asked = random.Random(0), [], []
    while len(mixtures) < VALID_PAIRS:
        pair = rng.sample(sorted(clips), 2)
        among = {kinds[label] for label in pair}
        others = sorted(label for label in labels if kinds[label] in among and label not in pair)
        if len(others) < ABSENT:
            continue
        mixtures.append(sum(excerpt(rng.choice(clips[label]), frames, 0.0) for label in pair))
        chosen = [*pair, *rng.sample(others, ABSENT)]
        asked.append(torch.tensor([labels.index(label) for label in chosen]))
    return torch.stack(mixtures), torch.stack(asked)


@torch.no_grad()
def right_order(tagger: Tagger, mixtures: Tensor, asked: Tensor) -> float:
    """How often what is there has a higher logit than what is not."""
    tagger.eval()
    logits = torch.cat([tagger.tag(some) for some in mixtures.split(50)]).gather(1, asked)
    tagger.train()
    there = torch.zeros_like(logits, dtype=torch.bool)
    there[:, :2] = True
    return float(binary_auroc(logits.flatten(), there.flatten()))


def restore(parts: Mapping[str, Any], saved: Path) -> int:
    """Goes back to what was saved, if anything was, and returns the number of steps done."""
    if not saved.exists():
        return 0
    state = read_tensors(saved)
    step = state.pop("step")
    for name, values in state.items():
        parts[name].load_state_dict(values)
    return step


def train(model: QueriedSeparator, data: Path, out: Path, args: argparse.Namespace) -> None:
    """Trains a tagger for a model's vocabulary, puts it into the model, and saves that."""
    torch.manual_seed(args.seed)
    labels = model.vocabulary.labels
    with torch.no_grad():
        embeddings = normalize(model.encode_queries(labels, 1).pooled[0], dim=-1)
    tagger = Tagger(model.n_fft // 2 + 1, model.sample_rate, *embeddings.shape, args.channels)
    tagger.label_embeddings.copy_(embeddings)
    train_clips, valid_clips = (hear(model, tagger, data / f"{s}.csv") for s in ("train", "valid"))
    frames = round(PASSAGE * model.sample_rate / model.hop_length)
    kinds = {label: model.vocabulary.kind(label) for label in labels}
    valid = validation_pairs(valid_clips, kinds, labels, frames)
    tagger.to(memory_format=torch.channels_last)

    optimizer = torch.optim.AdamW(tagger.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps, pct_start=0.1
    )
    parts = {"tagger": tagger, "optimizer": optimizer, "schedule": schedule}
    begin = restore(parts, saved := out / "last.ckpt")
    half = choose_precision("auto") == "bf16-mixed"
    batches = Mixtures(train_clips, labels, frames, args, begin)
    loader = DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8)
    begun, total = time.time(), 0.0
    for step, (mixtures, there) in enumerate(loader, start=begin + 1):
        torch.manual_seed(args.seed * args.steps + step)  # dropout, the same after a stop
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = tagger.tag(mixtures)
        loss = binary_cross_entropy_with_logits(logits, SURE * there, reduction="sum")
        loss = loss / len(mixtures)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(tagger.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % SAVE_EVERY and step < args.steps:
            continue
        order, seconds = right_order(tagger, *valid), time.time() - begun
        mean, total = total / (step % SAVE_EVERY or SAVE_EVERY), 0.0
        print(f"step {step}: loss {mean:.3f}, right order {order:.1%}, {seconds:.0f} s", flush=True)
        with atomic_write(saved) as temporary:
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**state, "step": step}, temporary)
    model.tagger = tagger.eval()
    model.save_pretrained(out)


def main(options: list[str]) -> None:
    """Trains the tagger of an experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exp", help="experiment of the separator, or the name of a model")
    parser.add_argument("data", type=Path, help="folder with train.csv and valid.csv")
    parser.add_argument("out", type=Path, help="folder for the separator with its tagger")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(options)
    args.out.mkdir(parents=True, exist_ok=True)
    train(load_separator(args.exp), args.data, args.out, args)


if __name__ == "__main__":
    run_script(main)
