"""Examples and batches of training: natural mixtures with their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..utils.audio_file import UnreadableAudioError
from .frames import Frame

T = TypeVar("T")


@dataclass(frozen=True)
class Skipped:
    """A clip that could not be used, and why."""

    path: str
    reason: str


class UnusableClipsError(UnreadableAudioError):
    """Too few clips can be used.

    Attributes:
        skipped: those that cannot.
        table: the file that lists them, of which the message then speaks.
    """

    def __init__(self, message: str, skipped: Sequence[Skipped] = ()):
        super().__init__(message)
        self.skipped = list(skipped)
        self.table: Path | None = None

    def __str__(self) -> str:
        return f"{self.args[0]}{f' They are listed in {self.table}.' if self.table else ''}"


@dataclass(frozen=True)
class Example:
    """One mixture of mixtures: N natural mixtures, each with P phrases.

    Attributes:
        mixtures: (N, T); their sum is the input of the separator.
        captions: one text for each mixture.
        phrases: P single-source phrases for each mixture.
        phrase_weights: (N, P), 1 / (times the phrase is repeated).
        labels: class of each phrase, as `phrases`; empty where there are no classes.
        frames: a picture of each phrase's sound, its path or, from shards, the content of its file,
            as `phrases`; empty unless asked for.
        absent: phrases of sounds that are in none of the mixtures.
        clips: paths of the clips that it is made of.
        skipped: clips that were passed over while the example was made.
    """

    mixtures: Tensor
    captions: list[str]
    phrases: list[list[str]]
    phrase_weights: Tensor
    labels: list[list[str]] = field(default_factory=list)
    frames: list[list[Frame]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    clips: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """B examples: `Example` with a leading batch axis; `skipped` is of all of them."""

    mixtures: Tensor
    captions: list[list[str]]
    phrases: list[list[list[str]]]
    phrase_weights: Tensor
    labels: list[list[list[str]]] = field(default_factory=list)
    frames: list[list[list[Frame]]] = field(default_factory=list)
    absent: list[list[str]] = field(default_factory=list)
    clips: list[list[str]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def mixture(self) -> Tensor:
        """(B, T), the input of the separator."""
        return self.mixtures.sum(1)

    @property
    def flat_phrases(self) -> list[list[str]]:
        """B lists of N·P texts, mixture by mixture."""
        return _flatten(self.phrases)

    @property
    def flat_labels(self) -> list[list[str]]:
        """B lists of N·P classes, mixture by mixture."""
        return _flatten(self.labels)

    @property
    def flat_frames(self) -> list[list[Frame]]:
        """B lists of N·P pictures, mixture by mixture."""
        return _flatten(self.frames)

    def to(self, device: torch.device | str) -> Batch:
        """Moves the tensors; of pinned ones the copy goes on while the next step is prepared."""
        weights = self.phrase_weights.to(device, non_blocking=True)
        mixtures = self.mixtures.to(device, non_blocking=True)
        return replace(self, mixtures=mixtures, phrase_weights=weights)

    def pin_memory(self) -> Batch:
        """Copies the tensors to memory that an accelerator reads by itself; for a DataLoader."""
        weights = self.phrase_weights.pin_memory()
        return replace(self, mixtures=self.mixtures.pin_memory(), phrase_weights=weights)


def _flatten(rows: list[list[list[T]]]) -> list[list[T]]:
    return [[text for texts in example for text in texts] for example in rows]


def collate(examples: list[Example]) -> Batch:
    """Stacks examples of the same N, P and T; the `collate_fn` of a DataLoader.

    Raises:
        UnusableClipsError: the one that a worker's data set gave in place of an example.

    Examples:
        >>> example = Example(torch.zeros(2, 8), ["a", "b"], [["a"], ["b"]], torch.ones(2, 1))
        >>> collate([example, example]).mixtures.shape
        torch.Size([2, 2, 8])
    """
    for example in examples:
        if isinstance(example, UnusableClipsError):
            raise example
    return Batch(
        mixtures=torch.stack([example.mixtures for example in examples]),
        captions=[example.captions for example in examples],
        phrases=[example.phrases for example in examples],
        phrase_weights=torch.stack([example.phrase_weights for example in examples]),
        labels=[example.labels for example in examples],
        frames=[example.frames for example in examples],
        absent=[example.absent for example in examples],
        clips=[example.clips for example in examples],
        skipped=[skipped for example in examples for skipped in example.skipped],
    )


@dataclass(frozen=True)
class SemiSupervisedBatch:
    """A batch of natural mixtures, of which the captions are known, and one of single sources."""

    mixed: Batch
    clean: Batch

    @property
    def captions(self) -> list[list[str]]:
        return [*self.mixed.captions, *self.clean.captions]

    @property
    def clips(self) -> list[list[str]]:
        return [*self.mixed.clips, *self.clean.clips]

    @property
    def skipped(self) -> list[Skipped]:
        return [*self.mixed.skipped, *self.clean.skipped]

    def to(self, device: torch.device | str) -> SemiSupervisedBatch:
        """Moves the tensors."""
        return SemiSupervisedBatch(self.mixed.to(device), self.clean.to(device))

    def pin_memory(self) -> SemiSupervisedBatch:
        """Copies the tensors to memory that an accelerator reads by itself."""
        return SemiSupervisedBatch(self.mixed.pin_memory(), self.clean.pin_memory())


def collate_pairs(pairs: list[tuple[Example, Example]]) -> SemiSupervisedBatch:
    """Stacks the pairs of `SemiSupervised` into a batch; the `collate_fn` of a DataLoader."""
    mixed, clean = zip(*pairs, strict=True)
    return SemiSupervisedBatch(collate(list(mixed)), collate(list(clean)))
