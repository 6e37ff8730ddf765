"""Separation supervised by a sound classifier and class labels alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from .checks import (
    as_weights,
    at_least_float32,
    check_reduction,
    check_shape,
    check_signals,
    mean_per_example,
    reduce_batch,
)


@dataclass
class WeakLabelTerms:
    """What `WeakLabelLoss` found.

    Attributes:
        classes: do the estimates sound like their classes, unweighted.
        mixture: do the active ones add up to the mixture and are the others silent, unweighted.
        labels: does the jointly trained classifier hear the classes of the mixture.
        total: `classes + mixture_weight * mixture + labels`.
    """

    classes: Tensor
    mixture: Tensor
    labels: Tensor
    total: Tensor


class WeakLabelLoss(nn.Module):
    r"""A classifier assesses each estimate; no isolated source is needed.

    With classifier probabilities :math:`p_c`, the class :math:`c_s` of estimate
    :math:`\hat s_s`, and its weak label :math:`a_s` (1: that class sounds in the mixture),

    .. math::
        \mathcal{L}_{\mathrm{class}} &= \frac{1}{SC} \sum_s \sum_c
            \mathrm{BCE}\big(p_c(\hat s_s),\, a_s [c = c_s]\big) \\
        \mathcal{L}_{\mathrm{mix}} &= \mathrm{mean} \Big|x - \sum_{a_s = 1} \hat s_s\Big|
            + \sum_{a_s = 0} \mathrm{mean} |\hat s_s| \\
        \mathcal{L} &= \mathcal{L}_{\mathrm{class}} + \alpha \mathcal{L}_{\mathrm{mix}}

    A frozen classifier keeps its parameters and stays in eval mode. A jointly trained one learns
    from the mixtures and their labels, :math:`\mathrm{BCE}(p(x), \text{labels})`, and never
    from the estimates: otherwise both could agree on sounds that nobody would recognise.

    Args:
        classifier: maps signals (M, ...) to logits (M, C).
        mixture_weight: :math:`\alpha`.
        activation: ``"sigmoid"``, any number of classes at a time, as in the equation;
            ``"softmax"``, one class at a time: cross-entropy, over the active estimates.
        joint: also train the classifier, on the mixtures.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est_sources: :math:`(B, S, ...)`, waveforms or magnitudes, as the classifier takes them.
        - labels: classes of the estimates, :math:`(B, S)` integers.
        - mixture: :math:`(B, ...)`; without it, only the class term.
        - active: weak labels, :math:`(B, S)` bool; all true when not given.

    References:
        Pishdadian, Wichern and Le Roux, "Finding strength in weakness: learning to separate sounds
        with weak supervision", IEEE/ACM TASLP, 2020.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import WeakLabelLoss
        >>> bands = torch.nn.Flatten()  # class c sounds in band c alone
        >>> est = torch.tensor([[[50.0, -50.0], [-50.0, 50.0]]])
        >>> loss = WeakLabelLoss(bands)
        >>> round(loss(est, torch.tensor([[0, 1]])).total.item(), 4)
        0.0
        >>> round(loss(est, torch.tensor([[1, 0]])).total.item(), 4)
        50.0
    """

    def __init__(
        self,
        classifier: nn.Module,
        mixture_weight: float = 1.0,
        *,
        activation: str = "sigmoid",
        joint: bool = False,
        reduction: str = "mean",
    ):
        super().__init__()
        if activation not in ("sigmoid", "softmax"):
            raise ValueError(
                f"activation: expected 'sigmoid' or 'softmax', received {activation!r}."
            )
        self.classifier = classifier
        self.mixture_weight = mixture_weight
        self.activation = activation
        self.joint = joint
        self.reduction = check_reduction(reduction)
        if not joint:
            classifier.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> WeakLabelLoss:
        """Sets the mode of the loss; a frozen classifier stays in eval mode."""
        super().train(mode)
        if not self.joint:
            self.classifier.eval()
        return self

    def forward(
        self,
        est_sources: Tensor,
        labels: Tensor,
        mixture: Tensor | None = None,
        active: Tensor | None = None,
    ) -> WeakLabelTerms:
        """Returns all terms and their weighted sum (see the class)."""
        active = torch.ones_like(labels, dtype=torch.bool) if active is None else active.bool()
        _check_inputs(est_sources, labels, mixture, active)
        est = at_least_float32(est_sources)
        mixture = None if mixture is None else at_least_float32(mixture)
        logits = at_least_float32(self._classify(est))
        check_labels(labels, logits.shape[-1])
        classes = self._class_term(logits, labels, active)
        none = torch.zeros_like(classes)
        consistency = none if mixture is None else _mixture_term(est, mixture, active)
        heard = none
        if self.joint:
            if mixture is None:
                raise ValueError("mixture: expected one for joint training, received None.")
            heard = self._label_term(mixture, labels, active)
        classes, consistency, heard = (
            reduce_batch(term, self.reduction) for term in (classes, consistency, heard)
        )
        total = classes + self.mixture_weight * consistency + heard
        return WeakLabelTerms(classes, consistency, heard, total)

    def _classify(self, est: Tensor) -> Tensor:
        """Logits (B, S, C) whose gradient reaches the estimates, never the classifier."""
        rows = as_weights(est.flatten(0, 1), self.classifier)
        if self.joint:
            frozen = {name: p.detach() for name, p in self.classifier.named_parameters()}
            # Copies, so that running statistics are those of mixtures.
            frozen |= {name: b.clone() for name, b in self.classifier.named_buffers()}
            logits = functional_call(self.classifier, frozen, (rows,))
        else:
            logits = self.classifier(rows)
        if logits.ndim != 2 or len(logits) != len(rows):
            raise ValueError(
                f"classifier: expected logits (rows, classes) for {len(rows)} rows, "
                f"received {tuple(logits.shape)}."
            )
        return logits.unflatten(0, est.shape[:2])

    def _class_term(self, logits: Tensor, labels: Tensor, active: Tensor) -> Tensor:
        if self.activation == "sigmoid":
            truth = F.one_hot(labels, logits.shape[-1]) * active.unsqueeze(-1)
            losses = F.binary_cross_entropy_with_logits(logits, truth.to(logits), reduction="none")
            return mean_per_example(losses)
        losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
        return (losses * active).sum(1) / active.sum(1).clamp(min=1)

    def _label_term(self, mixture: Tensor, labels: Tensor, active: Tensor) -> Tensor:
        """Loss of the classifier on the mixtures: (B,)."""
        logits = at_least_float32(self.classifier(as_weights(mixture, self.classifier)))
        sounding = F.one_hot(labels, logits.shape[-1]) * active.unsqueeze(-1)
        truth = sounding.amax(1).to(logits)
        if self.activation == "softmax":
            truth = truth / truth.sum(1, keepdim=True).clamp(min=1)
            return F.cross_entropy(logits, truth, reduction="none")
        return mean_per_example(F.binary_cross_entropy_with_logits(logits, truth, reduction="none"))


def _mixture_term(est: Tensor, mixture: Tensor, active: Tensor) -> Tensor:
    share = active.to(est)
    rest = mixture - torch.einsum("bs...,bs->b...", est, share)
    leaked = est.abs().flatten(2).mean(2) * (1 - share)
    return mean_per_example(rest.abs()) + leaked.sum(1)


def check_labels(labels: Tensor, n_classes: int) -> None:
    """Raises `ValueError` unless `labels` are classes from 0 to `n_classes` - 1."""
    if labels.is_floating_point():
        raise ValueError(f"labels: expected integer classes, received {labels.dtype}.")
    if (labels < 0).any() or (labels >= n_classes).any():
        raise ValueError(
            f"labels: expected classes 0 to {n_classes - 1}, received values from "
            f"{labels.min().item()} to {labels.max().item()}."
        )


def _check_inputs(est: Tensor, labels: Tensor, mixture: Tensor | None, active: Tensor) -> None:
    check_signals("est_sources", est, "(batch, n_est, ...)")
    batch, n_est, *rest = est.shape
    check_shape("labels", labels, (batch, n_est), "(batch, n_est)")
    check_shape("active", active, (batch, n_est), "(batch, n_est)")
    if mixture is not None:
        check_signals("mixture", mixture, "(batch, ...)", min_ndim=2)
        check_shape("mixture", mixture, (batch, *rest), "(batch, ...)")
