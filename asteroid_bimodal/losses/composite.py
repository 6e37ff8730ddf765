"""The training loss: named terms, each with its weight, every one logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import torch
from torch import Tensor, nn

from .checks import reduce_batch

_T = TypeVar("_T")
_MAGNITUDES = ("total", "mixtures", "captions", "phrases", "outputs", "absent")


@dataclass(frozen=True)
class SeparatorOutputs:
    """Estimates and targets of a batch; what no term of the loss needs is None.

    B examples, N mixtures, P phrases per mixture, S outputs, A absent sounds, F frequencies,
    T frames.

    Attributes:
        total: (B, F, T), magnitude of the mixture of mixtures.
        mixtures: (B, N, F, T), magnitudes of the natural mixtures.
        captions: (B, N, F, T), estimates queried by caption.
        phrases: (B, N, P, F, T), estimates queried by phrase.
        phrase_wavs: (B, N * P, samples), the same as waveforms.
        phrase_texts: B lists of N * P phrases.
        caption_texts: B lists of N captions.
        phrase_weights: (B, N, P), 1 / (times a phrase is repeated).
        phrase_labels: (B, N * P), classes of the phrases.
        outputs: (B, S, F, T), estimates of a separator without queries.
        absent: (B, A, F, T), estimates queried by absent sounds.
        caption_masks: (B, N, F, T), of `captions`, between 0 and 1.
        phrase_masks: (B, N, P, F, T), of `phrases`.
        noise_masks: (B, N, F, T), of a separator's noise heads.
    """

    total: Tensor
    mixtures: Tensor
    captions: Tensor | None = None
    phrases: Tensor | None = None
    phrase_wavs: Tensor | None = None
    phrase_texts: list[list[str]] | None = None
    caption_texts: list[list[str]] | None = None
    phrase_weights: Tensor | None = None
    phrase_labels: Tensor | None = None
    outputs: Tensor | None = None
    absent: Tensor | None = None
    caption_masks: Tensor | None = None
    phrase_masks: Tensor | None = None
    noise_masks: Tensor | None = None

    def is_finite(self) -> bool:
        """Says whether no number is NaN or infinite."""
        tensors = [value for value in vars(self).values() if isinstance(value, Tensor)]
        return all(bool(value.isfinite().all()) for value in tensors)

    def normalised(self) -> SeparatorOutputs:
        """Divides magnitudes by the mean magnitude of their example, so that level drops out."""
        scale = self.total.mean(dim=(1, 2)).clamp_min(1e-5)  # (B,)
        found = {name: getattr(self, name) for name in _MAGNITUDES}
        scaled = {
            name: value / scale.view(-1, *[1] * (value.ndim - 1))
            for name, value in found.items()
            if value is not None
        }
        return replace(self, **scaled)


def needed(part: _T | None) -> _T:
    """Returns a part of `SeparatorOutputs` that a term asked for in `needs`."""
    if part is None:
        raise ValueError(
            "A loss term uses a part of the separator's outputs that was not estimated: add it to "
            "the term's `needs`."
        )
    return part


class Term(nn.Module):
    """A term of a loss: maps `SeparatorOutputs` to one loss per example, (B,).

    Attributes:
        needs: what is to be estimated: captions, phrases, waveforms, labels, outputs, absent,
            noise.
    """

    needs: frozenset[str]


@dataclass(frozen=True)
class Weighted:
    """A term of a loss and how it counts.

    Attributes:
        term: the term.
        weight: by which it is multiplied.
        start: training step from which it counts; before it, it costs nothing.
    """

    term: Term
    weight: float
    start: int = 0


@dataclass(frozen=True)
class LossReport:
    """A loss and what it is made of: `total` is the weighted sum of `terms`, each a batch mean."""

    total: Tensor
    terms: dict[str, Tensor]


class CompositeLoss(nn.Module):
    r"""Weighted sum of named terms, $L = \sum_k w_k L_k$.

    Args:
        terms: of each name the term and its weight.
        normalise: divide magnitudes by the mean magnitude of their mixture first.

    Raises:
        ValueError: when no term counts from the beginning.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses.terms import URL
        >>> loss = CompositeLoss({"url": Weighted(URL(), 5.0)})
        >>> magnitudes = torch.rand(1, 2, 8, 4)
        >>> same = SeparatorOutputs(magnitudes.sum(1), magnitudes, captions=magnitudes)
        >>> loss(same).total.item()
        0.0
    """

    def __init__(self, terms: Mapping[str, Weighted], *, normalise: bool = False):
        super().__init__()
        self.terms = nn.ModuleDict({name: weighted.term for name, weighted in terms.items()})
        self.term_needs = {name: weighted.term.needs for name, weighted in terms.items()}
        self.weights = {name: weighted.weight for name, weighted in terms.items()}
        self.start = {name: weighted.start for name, weighted in terms.items()}
        self.normalise = normalise
        if not self.active(0):
            raise ValueError(
                "No loss term counts from the first step: give one a weight and the start 0. "
                f"Weights: {self.weights or 'none'}, starts: {self.start or 'none'}."
            )

    def active(self, step: int) -> list[str]:
        """Names of the terms that count at a training step."""
        return [name for name, start in self.start.items() if step >= start and self.weights[name]]

    def needs(self, step: int) -> frozenset[str]:
        """What must be estimated at a training step: captions, phrases, waveforms and so on."""
        return frozenset().union(*(self.term_needs[name] for name in self.active(step)))

    def forward(self, outputs: SeparatorOutputs, step: int | None = None) -> LossReport:
        """Computes the loss.

        Args:
            outputs: of a batch.
            step: the training step; None counts every term.

        Returns:
            The weighted sum and each term, unweighted.
        """
        names = self.terms if step is None else self.active(step)
        if self.normalise:
            outputs = outputs.normalised()
        terms = {name: reduce_batch(self.terms[name](outputs), "mean") for name in names}
        weighted = (self.weights[name] * value for name, value in terms.items())
        return LossReport(reduce(torch.add, weighted), terms)
