"""Noise invariant training: what no query asked for goes to noise heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checks import (
    at_least_float32,
    check_broadcast,
    check_finite,
    check_reduction,
    check_same_signals,
    check_shape,
    check_signals,
    mean_per_example,
    reduce_batch,
)
from .mixpit import best_permutation
from .reconstruction import LogWeightedBCE


@dataclass
class NoiseInvariantTerms:
    """What `NoiseInvariantLoss` found.

    Attributes:
        separation: loss of the masks with their noise, in the best order.
        excess: mean activation of the noise masks above what is allowed.
        total: `separation + excess_weight * excess`.
    """

    separation: Tensor
    excess: Tensor
    total: Tensor


class NoiseInvariantLoss(nn.Module):
    r"""Noise invariant training (NIT): queried masks may be completed by noise masks.

    Videos and captions do not name all that sounds. Next to the masks :math:`\hat M_i` of the
    N queries the model gives N noise masks :math:`\tilde M_j`, in any order, that may complete
    them; their activation above :math:`\gamma` is punished, so that they do not take everything.

    .. math::
        \mathcal{L}_{\mathrm{NIT}} &= \min_{\pi \in S_N} \frac{1}{N} \sum_i
            \mathrm{WBCE}\big(\min(1, \hat M_i + \tilde M_{\pi(i)}), M_i\big) \\
        \mathcal{L}_{\mathrm{REG}} &= \max\Big(0,
            \sum_j \mathrm{mean}(\tilde M_j) - \gamma\Big) \\
        \mathcal{L} &= \mathcal{L}_{\mathrm{NIT}} + \lambda \mathcal{L}_{\mathrm{REG}}

    The noise is bounded for each example; the authors' code bounds its mean over the batch.

    Args:
        max_noise: :math:`\gamma`, allowed sum of the noise masks' means.
        excess_weight: :math:`\lambda`.
        distance: called `(est, target, reference)`, one value per example.
            Default: `LogWeightedBCE(reduction="none")`.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est_masks, noise_masks, target_masks: :math:`(B, N, ...)`.
        - reference: magnitude of the mixture, :math:`(B, ...)`.

    References:
        Dong et al., "CLIPSep: learning text-queried sound separation with noisy unlabeled
        videos", ICLR 2023.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import NoiseInvariantLoss
        >>> target = torch.rand(1, 2, 8, 5).round()
        >>> noise = target * torch.tensor([0.0, 0.2]).view(2, 1, 1)  # unseen sound in the second
        >>> terms = NoiseInvariantLoss()(target - noise, noise.flip(1), target, torch.ones(1, 8, 5))
        >>> round(terms.total.item(), 4)
        0.0
    """

    def __init__(
        self,
        max_noise: float = 0.25,
        excess_weight: float = 0.1,
        *,
        distance: nn.Module | None = None,
        reduction: str = "mean",
    ):
        super().__init__()
        self.max_noise = max_noise
        self.excess_weight = excess_weight
        self.distance = distance or LogWeightedBCE(reduction="none")
        self.reduction = check_reduction(reduction)

    def forward(
        self, est_masks: Tensor, noise_masks: Tensor, target_masks: Tensor, reference: Tensor
    ) -> NoiseInvariantTerms:
        """Returns both terms and their weighted sum (see the class)."""
        check_same_signals("est_masks", est_masks, "target_masks", target_masks)
        check_signals("noise_masks", noise_masks, "(batch, n_src, ...)")
        check_shape("noise_masks", noise_masks, tuple(est_masks.shape), "the shape of est_masks")
        check_broadcast("reference", reference, est_masks[:, 0])
        check_finite("reference", reference)
        masks = (est_masks, noise_masks, target_masks, reference)
        est, noise, target, reference = map(at_least_float32, masks)
        best, _ = best_permutation(self._pairwise(est, noise, target, reference))
        activation = mean_per_example(noise) * noise.shape[1]
        separation = reduce_batch(best, self.reduction)
        excess = reduce_batch((activation - self.max_noise).relu(), self.reduction)
        total = separation + self.excess_weight * excess
        return NoiseInvariantTerms(separation, excess, total)

    def _pairwise(self, est: Tensor, noise: Tensor, target: Tensor, reference: Tensor) -> Tensor:
        """Losses of every noise mask (first) with every query (second), (B, N, N)."""
        n_src = est.shape[1]
        rows = [
            torch.stack(
                [
                    self.distance((est[:, i] + noise[:, j]).clamp(max=1), target[:, i], reference)
                    for i in range(n_src)
                ],
                dim=1,
            )
            for j in range(n_src)
        ]
        return torch.stack(rows, dim=1)
