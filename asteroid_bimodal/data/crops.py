"""Audible crops of clips of distinct labels, drawn from files or from a window of shards."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..dsp.resample import resample_recording
from ..dsp.samples import fault_of
from ..utils.audio_file import Source, UnreadableAudioError, open_audio, read_segment, to_mono
from .augmentation import draw_speed, equalise
from .batches import Skipped
from .frames import Frame, frame_at, frame_index
from .manifest import Clip, by_label

QUIET = 10 ** (-45 / 20)  # RMS up to which a crop counts as silent and is drawn again
SILENT = "Silent: no second of it is above an RMS of -45 dB."  # why a clip is skipped
ATTEMPTS = 20  # draws before a label is given up
T = TypeVar("T")


def read_crop(
    source: Source, start: float, num_samples: int, sample_rate: int, name: str | None = None
) -> Tensor:
    """Reads a mono excerpt of exactly `num_samples` at `sample_rate`, (num_samples,) float32.

    Only the excerpt is decoded. Channels are averaged (`to_mono`), another rate is resampled, and
    an excerpt that passes the end of the file is padded with zeros.

    Args:
        source: an audio file, or the content of one.
        start: where the excerpt starts, in seconds.
        num_samples: its length.
        sample_rate: its rate in hertz.
        name: what messages call it, by default the path.

    Raises:
        UnreadableAudioError: when the file is missing, is not audio, is empty, is damaged in this
            place, or holds what is no audio (`dsp/samples.py`).
    """
    mono, rate = _read_mono(source, start, num_samples, sample_rate, name)
    return _fit(mono, rate, num_samples, sample_rate)


def read_audible(
    source: Source, start: float, num_samples: int, sample_rate: int, name: str | None = None
) -> Tensor | None:
    """Reads as `read_crop`; None when there is nothing to hear."""
    mono, rate = _read_mono(source, start, num_samples, sample_rate, name)
    # A constant offset shows before it is padded and resampled, which give it an edge.
    crop = _fit(mono, rate, num_samples, sample_rate) if is_audible(mono) else None
    return crop if crop is not None and is_audible(crop) else None


def _read_mono(
    source: Source, start: float, num_samples: int, sample_rate: int, name: str | None
) -> tuple[Tensor, int]:
    wav, rate = read_segment(source, start, Fraction(num_samples, sample_rate), name)
    if fault := fault_of(wav):
        raise UnreadableAudioError(f"{name or source} has {fault}.")
    return to_mono(wav), rate


def _fit(mono: Tensor, rate: int, num_samples: int, sample_rate: int) -> Tensor:
    mono = resample_recording(mono, rate, sample_rate)
    return torch.nn.functional.pad(mono[:num_samples], (0, max(0, num_samples - len(mono))))


def loudness(wav: Tensor) -> float:
    """The RMS of samples (T,) about their mean: a constant offset is no sound."""
    return float(wav.std(correction=0))


def is_audible(wav: Tensor) -> bool:
    """Whether the loudness of samples (T,) is above `QUIET`."""
    return loudness(wav) > QUIET


def is_silent(source: Source) -> bool:
    """Whether no second of a whole file can be heard; reads as far as the first that can."""
    with open_audio(source, strict=True) as audio:
        seconds = (s for block in audio.blocks for s in to_mono(block).split(audio.sample_rate))
        return not any(map(is_audible, seconds))


_file_is_silent = lru_cache(maxsize=10_000)(is_silent)


def crop_start(clip_seconds: float, crop_seconds: float, place: float) -> float:
    """Where a crop starts, in seconds: `place` 0 is the clip's beginning, 1 as late as it fits."""
    return max(0.0, clip_seconds - crop_seconds) * place


@dataclass(frozen=True, eq=False)
class StoredClip:
    """A clip, its audio file or the content of one, what reports call it, and frames of a shard."""

    clip: Clip
    audio: Path | bytes
    where: str
    frames: Sequence[bytes] = ()

    def read_audible(self, start: float, num_samples: int, sample_rate: int) -> Tensor | None:
        """Reads (num_samples,) from `start` seconds on; None when there is nothing to hear."""
        if isinstance(self.audio, Path):
            return read_audible(self.audio, start, num_samples, sample_rate)
        return read_audible(io.BytesIO(self.audio), start, num_samples, sample_rate, self.where)

    def is_silent(self) -> bool:
        """Whether no second of the clip can be heard."""
        if isinstance(self.audio, Path):
            return _file_is_silent(self.audio)
        return is_silent(io.BytesIO(self.audio))

    @property
    def num_bytes(self) -> int:
        """Bytes of what is in memory."""
        parts = [] if isinstance(self.audio, Path) else [self.audio, *self.frames]
        return sum(map(len, parts))

    def frame_at(self, second: float) -> Frame:
        """The frame that shows a moment."""
        if isinstance(self.audio, Path):
            return str(frame_at(self.audio, second, self.clip.seconds))
        if not self.frames:
            raise ValueError(
                f"There are no frames with {self.where}. Write shards with --frames, or choose a "
                "system without image queries."
            )
        return self.frames[frame_index(second, self.clip.seconds, len(self.frames))]


def draw_one(items: Sequence[T], generator: torch.Generator) -> T:
    """Draws one of some items."""
    return items[int(torch.randint(len(items), (1,), generator=generator))]


def draw_in_turn(items: Sequence[T], generator: torch.Generator) -> Iterator[T]:
    """Draws all items in random order, each only when it is asked for: a lazy Fisher-Yates shuffle.

    Examples:
        >>> sorted(draw_in_turn("abc", torch.Generator().manual_seed(0)))
        ['a', 'b', 'c']
    """
    moved: dict[int, int] = {}
    for last in reversed(range(len(items))):
        place = int(torch.randint(last + 1, (1,), generator=generator))
        yield items[moved.get(place, place)]
        moved[place] = moved.pop(last, last)


class ClipSource(Protocol):
    """Where clips come from: files or a window of shards."""

    @property
    def labels(self) -> list[str]:
        """In alphabetical order."""

    def draw(self, label: str, generator: torch.Generator) -> StoredClip | None:
        """Draws a clip of a label; None when the last one was discarded."""

    @property
    def clips(self) -> Sequence[Clip]:
        """All that are there."""

    def in_turn(self, generator: torch.Generator) -> Iterator[StoredClip]:
        """Draws all clips in random order."""

    def discard(self, stored: StoredClip) -> None:
        """Takes note that a clip cannot be read."""


class ClipFiles:
    """A `ClipSource` of files below `root`."""

    def __init__(self, clips: Sequence[Clip], root: Path):
        self.clips, self.by_label, self.root = clips, by_label(clips), root
        self.labels = list(self.by_label)

    def draw(self, label: str, generator: torch.Generator) -> StoredClip:
        return self._stored(draw_one(self.by_label[label], generator))

    def in_turn(self, generator: torch.Generator) -> Iterator[StoredClip]:
        return map(self._stored, draw_in_turn(self.clips, generator))

    def _stored(self, clip: Clip) -> StoredClip:
        return StoredClip(clip, self.root / clip.path, clip.path)

    def discard(self, stored: StoredClip) -> None:
        """Forgets it: an item of a map-style data set must not depend on those read before it."""


@dataclass(frozen=True)
class Crop:
    """Audio (T,) of a clip, the clip's label, where it is, and a frame, if asked for."""

    audio: Tensor
    label: str
    frame: Frame = ""
    where: str = ""


@dataclass(frozen=True)
class DrawnCrops:
    """Crops of distinct labels, and the clips that were passed over."""

    crops: list[Crop]
    skipped: list[Skipped]


@dataclass(frozen=True, kw_only=True)
class CropSampler:
    """Draws crops of `num_samples` at `sample_rate`, from anywhere or the middle of their clips.

    Each plays slower or faster by up to the factor `speed`, no faster than its clip is long enough
    for, and goes through a random equaliser of `equaliser` dB in each octave.
    """

    sample_rate: int
    num_samples: int
    center_crop: bool = False
    frames: bool = False
    speed: float = 1.0
    equaliser: float = 0.0

    def draw_crops(
        self,
        source: ClipSource,
        count: int,
        generator: torch.Generator,
        labels: Sequence[str] | None = None,
    ) -> DrawnCrops:
        """Draws crops of `count` distinct labels, of some or all; fewer, where few can be used."""
        labels = source.labels if labels is None else labels
        crops, skipped = [], []
        for choice in torch.randperm(len(labels), generator=generator).tolist():
            drawn = self._draw_of_label(source, labels[choice], generator)
            crops += drawn.crops
            skipped += drawn.skipped
            if len(crops) == count:
                break
        return DrawnCrops(crops, skipped)

    def _draw_of_label(
        self, source: ClipSource, label: str, generator: torch.Generator
    ) -> DrawnCrops:
        speed = draw_speed(self.speed, generator)
        skipped: list[Skipped] = []
        quiet: list[str] = []
        for _ in range(ATTEMPTS):
            stored = source.draw(label, generator)
            if stored is None:
                return DrawnCrops([], skipped)
            # What is read at another rate plays at another speed.
            longest = max(1.0, stored.clip.seconds * self.sample_rate / self.num_samples)
            rate = round(self.sample_rate / min(speed, longest))
            length = self.num_samples / rate
            place = 0.5 if self.center_crop else float(torch.rand(1, generator=generator))
            start = crop_start(stored.clip.seconds, length, place)
            try:
                audio = stored.read_audible(start, self.num_samples, rate)
                silent = audio is None and stored.is_silent()
            except UnreadableAudioError as error:
                skipped.append(Skipped(stored.where, str(error)))
                source.discard(stored)
                continue
            if silent:
                skipped.append(Skipped(stored.where, SILENT))
            elif audio is None:  # a pause, which is no fault of the clip
                quiet.append(stored.where)
            else:
                frame: Frame = ""
                if self.frames:
                    within = length * float(torch.rand(1, generator=generator))
                    frame = stored.frame_at(start + within)
                audio = equalise(audio, self.sample_rate, self.equaliser, generator)
                return DrawnCrops([Crop(audio, label, frame, stored.where)], skipped)
        reason = f"Quiet in every draw, of the {ATTEMPTS} of its label."
        return DrawnCrops(
            [], [*(Skipped(where, reason) for where in dict.fromkeys(quiet)), *skipped]
        )
