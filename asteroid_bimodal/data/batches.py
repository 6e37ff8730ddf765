"""What a training step receives: natural mixtures with their words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Skipped:
    """A clip that could not be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Example:
    """One mixture of mixtures: N natural mixtures, each with P phrases.

    Attributes:
        mixtures: (N, T); their sum is the input of the separator.
        captions: one text for each mixture.
        phrases: P single-source phrases for each mixture.
        phrase_weights: (N, P), 1 / (times the phrase is repeated).
        skipped: clips that were passed over while the example was made.
    """

    mixtures: Tensor
    captions: list[str]
    phrases: list[list[str]]
    phrase_weights: Tensor
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """B examples: `Example` with a leading batch axis.

    Attributes:
        mixtures: (B, N, T).
        captions: B lists of N texts.
        phrases: B lists of N lists of P texts.
        phrase_weights: (B, N, P).
        skipped: clips that were passed over.
    """

    mixtures: Tensor
    captions: list[list[str]]
    phrases: list[list[list[str]]]
    phrase_weights: Tensor
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def mixture(self) -> Tensor:
        """(B, T), what the separator hears."""
        return self.mixtures.sum(1)

    @property
    def flat_phrases(self) -> list[list[str]]:
        """B lists of N * P texts, mixture by mixture."""
        return [[text for texts in example for text in texts] for example in self.phrases]

    def to(self, device: torch.device | str) -> Batch:
        """Moves the tensors."""
        return replace(
            self,
            mixtures=self.mixtures.to(device),
            phrase_weights=self.phrase_weights.to(device),
        )


def collate(examples: list[Example]) -> Batch:
    """Stacks examples into a batch; the `collate_fn` of a DataLoader.

    Args:
        examples: with the same N, P and T.

    Examples:
        >>> example = Example(torch.zeros(2, 8), ["a", "b"], [["a"], ["b"]], torch.ones(2, 1))
        >>> collate([example, example]).mixtures.shape
        torch.Size([2, 2, 8])
    """
    return Batch(
        mixtures=torch.stack([example.mixtures for example in examples]),
        captions=[example.captions for example in examples],
        phrases=[example.phrases for example in examples],
        phrase_weights=torch.stack([example.phrase_weights for example in examples]),
        skipped=[skipped for example in examples for skipped in example.skipped],
    )
