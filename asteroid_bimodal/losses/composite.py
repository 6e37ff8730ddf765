"""The training loss: named terms, each with its weight, every one logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .checks import reduce_batch
from .outputs import SeparatorOutputs


@dataclass(frozen=True)
class Weighted:
    """A term of a loss.

    Attributes:
        term: maps `SeparatorOutputs` to one loss per example, (B,), and says in `needs` what of
            them it uses.
        weight: by which it is multiplied.
        start: training step from which it counts; before it, it costs nothing.
    """

    term: nn.Module
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
        return frozenset().union(*(self.terms[name].needs for name in self.active(step)))

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
        total = sum(self.weights[name] * value for name, value in terms.items())
        return LossReport(total=total, terms=terms)
