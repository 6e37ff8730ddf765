"""Mixing without side effects: the sources always add up to the mixture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class MixedExample:
    """A mixture of mixtures and its components.

    Attributes:
        parts: (N, P, T), each source as it is in the mixture.
        mixtures: (N, T), the natural mixtures, `parts.sum(1)`.
        mixture: (T,), the mixture of mixtures, `mixtures.sum(0)`.
    """

    parts: Tensor
    mixtures: Tensor
    mixture: Tensor


def mix(clips: Tensor, gains: Tensor) -> MixedExample:
    r"""Joins the clips of N natural mixtures into a mixture of mixtures.

    $$ s_{ip} = \frac{1}{NP} \mathrm{clip}(g_{ip} c_{ip}, -1, 1), \qquad
       M_i = \sum_p s_{ip}, \qquad M = \sum_i M_i $$

    so that the mixture is the mean of its scaled clips and the natural mixtures add up to it.

    Args:
        clips: (N, P, T), P clips for each of N natural mixtures.
        gains: (N, P), their volumes.

    Raises:
        ValueError: when the shapes do not fit.

    Examples:
        >>> clips = torch.randn(2, 3, 100).clamp(-1, 1)
        >>> mixed = mix(clips, torch.ones(2, 3))
        >>> torch.equal(mixed.mixtures.sum(0), mixed.mixture)
        True
    """
    if clips.ndim != 3 or gains.shape != clips.shape[:2]:
        raise ValueError(
            "Expected clips of shape (N, P, T) and gains of shape (N, P), received "
            f"{tuple(clips.shape)} and {tuple(gains.shape)}."
        )
    num_parts = clips.shape[0] * clips.shape[1]
    parts = (gains[..., None] * clips).clamp(-1, 1) / num_parts
    mixtures = parts.sum(1)
    return MixedExample(parts=parts, mixtures=mixtures, mixture=mixtures.sum(0))


def draw_gains(
    shape: tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> Tensor:
    """Draws volumes uniformly between `low` and `high`, as a tensor of a shape."""
    return low + (high - low) * torch.rand(shape, generator=generator)
