"""Terms of a training signal that look at masks, as systems do that are asked with pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .co_separation import CoSeparationLoss
from .nit import NoiseInvariantLoss
from .reconstruction import LogWeightedBCE
from .terms import Estimates


def dominance(mixtures: Tensor) -> Tensor:
    """Marks where each mixture is louder than all others: the binary masks to aim at.

    Args:
        mixtures: magnitudes, (B, N, F, T).

    Returns:
        (B, N, F, T), in each place 1 for one of the mixtures and 0 for the others.

    Examples:
        >>> dominance(torch.tensor([[[[3.0, 1.0]], [[2.0, 5.0]]]])).squeeze()
        tensor([[1., 0.],
                [0., 1.]])
    """
    loudest = mixtures.argmax(dim=1, keepdim=True)  # (B, 1, F, T)
    return torch.zeros_like(mixtures).scatter_(1, loudest, 1.0)


class BinaryMasks(nn.Module):
    r"""Mix-and-separate with binary masks: each caption's mask is where its mixture dominates.

    $$ L_{BCE} = \sum_i \mathrm{mean}\big(w(|M|)\,
       \mathrm{BCE}(\hat m_i, [\,|M_i| > |M_j| \;\forall j \neq i\,])\big) $$
    """

    needs = frozenset({"captions"})

    def __init__(self):
        super().__init__()
        self.distance = LogWeightedBCE()

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        total = estimates.total[:, None].expand_as(estimates.mixtures)
        loss = self.distance(estimates.caption_masks, dominance(estimates.mixtures), total)
        return estimates.mixtures.shape[1] * loss


class NoiseInvariance(nn.Module):
    """NIT: the same, where masks of noise heads may complete those of the captions."""

    needs = frozenset({"captions", "noise"})

    def __init__(self):
        super().__init__()
        self.loss = NoiseInvariantLoss()

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        target = dominance(estimates.mixtures)
        masks, noise = estimates.caption_masks, estimates.noise_masks
        return estimates.mixtures.shape[1] * self.loss(masks, noise, target, estimates.total).total


class CoSeparation(nn.Module):
    """Co-separation: the masks of a mixture's objects add up to its own, and each sounds its class.

    Args:
        classifier: maps magnitudes (M, F, T) to logits (M, C); it is trained beside.
    """

    needs = frozenset({"phrases", "labels"})

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.loss = CoSeparationLoss(_HearsLogarithms(classifier))

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        masks = estimates.phrase_masks  # (B, N, P, F, T)
        own = torch.eye(masks.shape[1], device=masks.device)[..., None]  # (N, N, 1)
        weights = own * estimates.phrase_weights[:, None]  # (B, N, N, P)
        terms = self.loss(
            masks.flatten(1, 2),
            estimates.mixtures,
            estimates.total,
            weights.flatten(2),
            estimates.phrase_labels,
        )
        return terms.total


class _HearsLogarithms(nn.Module):
    """Gives the magnitudes behind log-magnitudes to a classifier."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier = classifier

    def forward(self, log_magnitude: Tensor) -> Tensor:
        return self.classifier(log_magnitude.exp())
