"""Training batches: sources, their mixtures, and what a separator might make of these."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import soundfile
import torch
from omegaconf import DictConfig
from prompts import describe
from sets import vocabulary_of
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import IterableDataset

from asteroid_bimodal.data.manifest import by_label, read_manifest

MINI_SECONDS = 2.048  # of a separator's mini training clip: half of the batches
SMALL_STFT = {"n_fft": 512, "hop_length": 128}


@dataclass(frozen=True)
class ClapBatch:
    """Clips and texts; `positive` (clips, texts) marks what belongs together."""

    wavs: Tensor
    texts: list[str]
    positive: Tensor


class Takes:
    """All takes of a split in memory, as 16-bit integers.

    Args:
        manifests: CSV file of the split, of each set.
    """

    def __init__(self, *manifests: str | Path) -> None:
        self._audio = {
            label: [
                torch.from_numpy(
                    soundfile.read(Path(manifest).parent / clip.path, dtype="int16")[0]
                )
                for clip in clips
            ]
            for manifest in manifests
            for label, clips in by_label(read_manifest(manifest)).items()
        }
        self.labels = tuple(self._audio)

    def crop(self, label: str, length: int, rng: random.Random) -> Tensor:
        """Draws an excerpt in which a source sounds, at an RMS of 0.1.

        Args:
            label: the instrument or event.
            length: in samples.
            rng: the source of the choice.
        """
        for _ in range(8):
            take = rng.choice(self._audio[label])
            start = rng.randrange(max(1, len(take) - length + 1))
            wav = take[start : start + length].float() / 32768
            if wav.std() > 0.01:
                break
        wav = torch.nn.functional.pad(wav, (0, length - len(wav)))
        return 0.1 * wav / wav.std().clamp(min=1e-4)


class ContrastiveBatches(IterableDataset):
    """Batches in which a mixture must be told from its parts.

    Each of the groups of a batch has sources A, B and C of distinct instruments, and gives A, B,
    A+B, A+B+C or B+C, and an estimate of A as a separator would cut it out of A+B. The first,
    easy batches have A, B and C alone.

    Args:
        takes: the recordings.
        conf: the whole configuration.
        seed: the source of all choices; step n is the same in every run.
    """

    def __init__(self, takes: Takes, conf: DictConfig, seed: int) -> None:
        self.takes, self.conf, self.seed = takes, conf, seed
        self.vocabulary = vocabulary_of(conf)

    def __iter__(self) -> Iterator[ClapBatch]:
        for step in range(self.conf.training.steps):
            rng = random.Random(f"{self.seed} {step}")
            generator = torch.Generator().manual_seed(rng.getrandbits(40))
            yield self._batch(rng, generator, easy=step < self.conf.training.easy_steps)

    def _batch(self, rng: random.Random, generator: torch.Generator, easy: bool) -> ClapBatch:
        audio, batch = self.conf.audio, self.conf.batch
        longest = audio.max_seconds * self.conf.data.sample_rate
        shortest = int(batch.min_seconds * self.conf.data.sample_rate)
        mini = round(MINI_SECONDS * self.conf.data.sample_rate)
        length = mini if rng.random() < 0.5 else rng.randint(shortest, longest)
        count = batch.easy_groups if easy else batch.groups
        groups = [rng.sample(self.takes.labels, 3) for _ in range(count)]
        sources = torch.stack(
            [self.takes.crop(label, length, rng) for group in groups for label in group]
        )
        sources = _equalise(sources, generator).unflatten(0, (-1, 3))  # (G, 3, T)
        if easy:
            wavs, labels = sources.flatten(0, 1), [[label] for group in groups for label in group]
        else:
            wavs, labels = self._mix(sources, groups, generator)
        texts = self._texts(labels, rng)
        sets = [frozenset(row) for row in labels]
        return ClapBatch(
            wavs=wavs,
            texts=[text for _, text in texts],
            positive=torch.tensor([[row == other for other, _ in texts] for row in sets]),
        )

    def _mix(
        self,
        sources: Tensor,
        groups: list[list[str]],
        generator: torch.Generator,
    ) -> tuple[Tensor, list[Sequence[str]]]:
        half = self.conf.batch.mix_db / 2
        gains = _decibels((torch.rand(*sources.shape[:2], 1, generator=generator) * 2 - 1) * half)
        a, b, c = (gains * sources).unbind(1)  # (G, T) each
        thick = torch.rand(len(a), 1, generator=generator) < 0.6
        estimate = _estimate(a, b, self.conf.batch.leak_db, generator)
        clips = [a, b, a + b, b + c + thick * a, estimate]
        labels = [
            *([x] for x, _, _ in groups),
            *([y] for _, y, _ in groups),
            *([x, y] for x, y, _ in groups),
            *(
                [x, y, z] if full else [y, z]
                for (x, y, z), full in zip(groups, thick[:, 0].tolist(), strict=True)
            ),
            *([x] for x, _, _ in groups),
        ]
        wavs = torch.cat(clips)
        spoilt = torch.rand(len(wavs), generator=generator) < 0.3
        wavs[spoilt] = _spoil(wavs[spoilt], generator)
        level = _decibels(torch.rand(len(wavs), 1, generator=generator) * 30 - 20)
        floor = _decibels(torch.rand(len(wavs), 1, generator=generator) * 50 - 100)
        noise = torch.randn(wavs.shape, generator=generator)
        return wavs * level + floor * noise, labels

    def _texts(
        self, labels: list[Sequence[str]], rng: random.Random
    ) -> list[tuple[frozenset, str]]:
        """One text for every set in the batch, for every instrument, and some that fit nothing."""
        wanted = {frozenset(row) for row in labels}
        wanted |= {frozenset([label]) for label in self.takes.labels}
        pairs = [frozenset(pair) for pair in combinations(self.takes.labels, 2)]
        wanted |= set(rng.sample(pairs, self.conf.batch.distractors))
        return [
            (row, describe(sorted(row), rng, self.vocabulary)) for row in sorted(wanted, key=sorted)
        ]


def _decibels(value: Tensor) -> Tensor:
    return 10 ** (value / 20)


def _equalise(wavs: Tensor, generator: torch.Generator) -> Tensor:
    """A random smooth gain over frequency, up to ±3 dB at each of 6 nodes."""
    length = -(-wavs.shape[-1] // 2048) * 2048  # transforms of prime lengths are slow
    spectrum = torch.fft.rfft(wavs, n=length)
    nodes = torch.rand(len(wavs), 1, 6, generator=generator) * 6 - 3
    coarse = interpolate(nodes, size=257, mode="linear", align_corners=True)
    gain = interpolate(coarse, size=spectrum.shape[-1], mode="linear", align_corners=True)
    return torch.fft.irfft(spectrum * _decibels(gain[:, 0]), n=length)[:, : wavs.shape[-1]]


def _estimate(a: Tensor, b: Tensor, leak_db: Sequence[float], generator: torch.Generator) -> Tensor:
    """A as a mask cuts it out of A+B: a soft, blurred, imperfect ratio mask."""
    spectra = _stft(torch.cat([a, b]))
    spectrum_a, spectrum_b = spectra.chunk(2)
    power_a, power_b = spectrum_a.abs().square(), spectrum_b.abs().square()
    sharpness = torch.rand(len(a), 1, 1, generator=generator) * 1.5 + 0.5
    # Errors of the mask, correlated over neighbouring bins.
    error = torch.randn(len(a), 1, 32, 16, generator=generator)
    error = interpolate(error, size=power_a.shape[1:], mode="bilinear")[:, 0]
    ratio = (power_a + 1e-6).log() - (power_b + 1e-6).log()
    mask = torch.sigmoid(sharpness * ratio / 2 + error)
    low, high = leak_db
    leak = torch.rand(len(a), 1, generator=generator) * (high - low) + low
    kept, leaked = _istft(mask * spectrum_a, a.shape[-1]), _istft(mask * spectrum_b, a.shape[-1])
    allowed = _decibels(-leak) * kept.std(-1, keepdim=True)
    return kept + leaked * (allowed / leaked.std(-1, keepdim=True).clamp(min=1e-6)).clamp(max=1.0)


def _spoil(wavs: Tensor, generator: torch.Generator) -> Tensor:
    """A random smooth gain over time and frequency, with holes."""
    spectrum = _stft(wavs)
    gain = torch.randn(len(wavs), 1, 10, 8, generator=generator) * 5 - 3
    gain = interpolate(gain, size=spectrum.shape[1:], mode="bilinear")[:, 0]
    return _istft(spectrum * _decibels(gain.clamp(max=6)), wavs.shape[-1])


def _stft(wavs: Tensor) -> Tensor:
    window = torch.hann_window(SMALL_STFT["n_fft"])
    return torch.stft(wavs, **SMALL_STFT, window=window, return_complex=True)


def _istft(spectrum: Tensor, length: int) -> Tensor:
    window = torch.hann_window(SMALL_STFT["n_fft"])
    return torch.istft(spectrum, **SMALL_STFT, window=window, length=length)
