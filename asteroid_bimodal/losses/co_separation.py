"""Co-separation: objects of one video add up to it, and sound like what they look like."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import (
    as_weights,
    at_least_float32,
    check_finite,
    check_reduction,
    check_shape,
    check_signals,
    reduce_batch,
)
from .mixit import mix_estimates, read_assignment
from .reconstruction import LogWeightedL1
from .weak_label import check_labels

MAX_RATIO = 5.0
FLOOR = 1e-10


@dataclass
class CoSeparationTerms:
    """What `CoSeparationLoss` found.

    Attributes:
        separation: do the masks of each video add up to its mask, unweighted.
        consistency: does each estimate sound like its object, unweighted.
        total: `separation + consistency_weight * consistency`.
    """

    separation: Tensor
    consistency: Tensor
    total: Tensor


class CoSeparationLoss(nn.Module):
    r"""Co-separation and object consistency.

    Videos :math:`V_1 \dots V_N` with magnitudes :math:`X_n` are mixed to :math:`X`; the model gives
    one mask :math:`\hat M_i` for each object :math:`i`, which belongs to a video and to a class
    :math:`c_i`:

    .. math::
        \mathcal{L}_{\mathrm{cosep}} &= \sum_n d\Big(\sum_{i \in V_n} \hat M_i,\,
            \min(X_n / X, 5);\, X\Big) \\
        \mathcal{L}_{\mathrm{object}} &= -\frac{1}{S} \sum_i \log p_{c_i}(\hat M_i X) \\
        \mathcal{L} &= \mathcal{L}_{\mathrm{cosep}} + \lambda \mathcal{L}_{\mathrm{object}}

    The classifier learns together with the separator, as in the paper.

    Args:
        classifier: maps log-magnitudes (M, F, T) to logits (M, C).
        consistency_weight: :math:`\lambda`.
        distance: :math:`d`, called `(est, target, reference)`, one value per example.
            Default: `LogWeightedL1(reduction="none")`.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est_masks: :math:`(B, S, F, T)`, one for each object.
        - mixtures: magnitudes of the videos, :math:`(B, N, F, T)`.
        - total: magnitude of their mixture, :math:`(B, F, T)`.
        - assignment: video of each object, :math:`(B, S)`, or weights :math:`(B, N, S)`.
        - labels: class of each object, :math:`(B, S)`.

    References:
        Gao and Grauman, "Co-separating sounds of visual objects", ICCV 2019.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import CoSeparationLoss
        >>> classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 3))
        >>> objects = torch.rand(1, 3, 8, 5)
        >>> total = objects.sum(1)
        >>> mixtures = torch.stack([objects[:, 0] + objects[:, 1], objects[:, 2]], dim=1)
        >>> video, label = torch.tensor([[0, 0, 1]]), torch.tensor([[2, 0, 1]])
        >>> loss = CoSeparationLoss(classifier)
        >>> terms = loss(objects / total, mixtures, total, video, label)
        >>> round(terms.separation.item(), 4)
        0.0
    """

    def __init__(
        self,
        classifier: nn.Module,
        consistency_weight: float = 0.05,
        *,
        distance: nn.Module | None = None,
        reduction: str = "mean",
    ):
        super().__init__()
        self.classifier = classifier
        self.consistency_weight = consistency_weight
        self.distance = distance or LogWeightedL1(reduction="none")
        self.reduction = check_reduction(reduction)

    def forward(
        self,
        est_masks: Tensor,
        mixtures: Tensor,
        total: Tensor,
        assignment: Tensor,
        labels: Tensor,
    ) -> CoSeparationTerms:
        """Returns both terms and their weighted sum (see the class)."""
        _check_inputs(est_masks, mixtures, total, labels)
        masks, mixtures, total = map(at_least_float32, (est_masks, mixtures, total))
        separation = self._separation(masks, mixtures, total, assignment)
        consistency = self._consistency(masks * total.unsqueeze(1), labels)
        separation = reduce_batch(separation, self.reduction)
        consistency = reduce_batch(consistency, self.reduction)
        loss = separation + self.consistency_weight * consistency
        return CoSeparationTerms(separation, consistency, loss)

    def _separation(
        self, masks: Tensor, mixtures: Tensor, total: Tensor, assignment: Tensor
    ) -> Tensor:
        shape = (masks.shape[0], mixtures.shape[1], masks.shape[1])
        weights, unknown = read_assignment(assignment, shape, masks.device)
        if unknown.any():
            raise ValueError("assignment: expected the video of every object, received -1.")
        added = mix_estimates(weights, masks)  # (B, N, F, T)
        targets = (mixtures / (total.unsqueeze(1) + FLOOR)).clamp(max=MAX_RATIO)
        pairs = zip(added.unbind(1), targets.unbind(1), strict=True)
        return sum(self.distance(est, target, total) for est, target in pairs)

    def _consistency(self, magnitudes: Tensor, labels: Tensor) -> Tensor:
        rows = torch.log(magnitudes + FLOOR).flatten(0, 1)
        logits = self.classifier(as_weights(rows, self.classifier))  # (B*S, C)
        check_labels(labels, logits.shape[-1])
        losses = F.cross_entropy(at_least_float32(logits), labels.flatten(), reduction="none")
        return losses.view(labels.shape).mean(1)


def _check_inputs(masks: Tensor, mixtures: Tensor, total: Tensor, labels: Tensor) -> None:
    check_signals("est_masks", masks, "(batch, n_est, freq, frames)", min_ndim=4)
    check_signals("mixtures", mixtures, "(batch, n_mix, freq, frames)", min_ndim=4)
    batch, n_est, *rest = masks.shape
    expected = (batch, mixtures.shape[1], *rest)
    check_shape("mixtures", mixtures, expected, "(batch, n_mix, freq, frames)")
    check_shape("total", total, (batch, *rest), "(batch, freq, frames)")
    check_finite("total", total)
    check_shape("labels", labels, (batch, n_est), "(batch, n_est)")
    for name, magnitudes in (("est_masks", masks), ("mixtures", mixtures), ("total", total)):
        if (magnitudes < 0).any():
            raise ValueError(f"{name}: expected magnitudes >= 0, received negative values.")
