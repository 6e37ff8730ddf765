"""The training signal: named terms, each with its weight, every one logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .terms import Estimates


@dataclass(frozen=True)
class LossReport:
    """A loss and what it is made of: `total` is the weighted sum of `terms`."""

    total: Tensor
    terms: dict[str, Tensor]


class CompositeLoss(nn.Module):
    r"""Weighted sum of named terms, $L = \sum_k w_k L_k$.

    Args:
        terms: modules that take `Estimates` and say in `needs` which of them they use.
        weights: weight of each term.
        start: training step from which each term counts; before it, it costs nothing.
        normalise: measure magnitudes in units of their example's mean.

    Raises:
        ValueError: when a term has no weight, or none counts from the beginning.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses.terms import CaptionReconstruction
        >>> loss = CompositeLoss({"url": CaptionReconstruction()}, {"url": 5.0})
        >>> magnitudes = torch.rand(1, 2, 8, 4)
        >>> same = Estimates(magnitudes.sum(1), magnitudes, captions=magnitudes)
        >>> loss(same).total.item()
        0.0
    """

    def __init__(
        self,
        terms: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        *,
        start: Mapping[str, int] | None = None,
        normalise: bool = False,
    ):
        super().__init__()
        missing = [name for name in terms if name not in weights]
        if missing or not terms:
            raise ValueError(
                f"Expected a weight for each of the terms {list(terms)}, received {dict(weights)}."
            )
        self.terms = nn.ModuleDict(terms)
        self.weights = {name: float(weights[name]) for name in terms}
        self.start = {name: int((start or {}).get(name, 0)) for name in terms}
        self.normalise = normalise
        if not self.active(0):
            raise ValueError(
                "Expected a term of positive weight that counts from step 0, received the weights "
                f"{self.weights} and starts {self.start}."
            )

    def active(self, step: int) -> list[str]:
        """Names of the terms that count at a training step."""
        return [name for name, start in self.start.items() if step >= start and self.weights[name]]

    def needs(self, step: int) -> frozenset[str]:
        """What must be estimated at a training step: captions, phrases, waveforms and so on."""
        return frozenset().union(*(self.terms[name].needs for name in self.active(step)))

    def forward(self, estimates: Estimates, step: int | None = None) -> LossReport:
        """Computes the loss.

        Args:
            estimates: of a batch.
            step: the training step; None counts every term.

        Returns:
            The weighted sum and each term, unweighted.
        """
        names: Iterable[str] = self.terms if step is None else self.active(step)
        if self.normalise:
            estimates = estimates.normalised()
        terms = {name: self.terms[name](estimates) for name in names}
        total = sum(self.weights[name] * value for name, value in terms.items())
        return LossReport(total=total, terms=terms)
