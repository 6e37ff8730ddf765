"""Mixture invariant training whose assignment is known, or partly known, from the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .checks import at_least_float32, check_reduction, check_signals, reduce_batch
from .quadratic import gram_matrix, quadratic_form, subset_losses

UNKNOWN = -1
MAX_PARTITIONS = 2**20


class TextConditionedMixIT(nn.Module):
    r"""MixIT that asks the text before it searches.

    With estimates :math:`\hat s_1 \dots \hat s_S` and mixtures :math:`x_1 \dots x_N`,

    .. math::
        \mathcal{L} = \min_{A \in \mathcal{A}} \mathcal{L}_{\mathrm{func}}(A \hat s, x),

    where :math:`\mathcal{A}` holds the :math:`N \times S` matrices that put every estimate into one
    mixture and agree with the assignment:

    * all known: there is nothing to search;
    * none known: `asteroid.losses.MixITLossWrapper`, for any number of mixtures;
    * in between: only the unknown estimates are searched;
    * weights: :math:`A` itself, for phrases that were repeated or shared.

    For losses that need only inner products (Asteroid's MSE, SNR, SI-SDR and SD-SDR, or any loss
    with a `quadratic_form`) the search works on one Gram matrix. Others are evaluated
    on every partition, without gradient. The value and gradient returned are always those of
    `loss_func` itself on the best partition.

    Args:
        loss_func: `(est_mixtures, mixtures, **kwargs)`, both (B, N, ...), giving (B,) such as
            `asteroid.losses.multisrc_mse`, or pairwise (B, N, N) such as `pairwise_mse`.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.
        generalized: allow mixtures with any number of estimates, even none. ``False``: every
            mixture gets the same number. Only matters for unknown estimates.

    Shape:
        - est_sources: :math:`(B, S, ...)`, waveforms or magnitudes.
        - mixtures: :math:`(B, N, ...)`.
        - assignment: :math:`(B, S)` integers, the mixture of each estimate, -1 where the text does
          not tell; or weights :math:`(B, N, S)`; or ``None``: nothing known.
        - output: scalar, or :math:`(B,)`; with `return_est` also the estimated mixtures
          :math:`(B, N, ...)`.

    References:
        Wisdom et al., "Unsupervised sound separation using mixture invariant training",
        NeurIPS 2020. Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic
        similarity", ICLR 2024.

    Examples:
        >>> import torch
        >>> from asteroid.losses import multisrc_mse
        >>> from asteroid_bimodal.losses import TextConditionedMixIT
        >>> sources = torch.randn(1, 3, 16000)
        >>> mixtures = torch.stack([sources[:, 0] + sources[:, 1], sources[:, 2]], dim=1)
        >>> loss = TextConditionedMixIT(multisrc_mse)
        >>> round(loss(sources, mixtures, torch.tensor([[0, 0, 1]])).item(), 6)
        0.0
        >>> round(loss(sources, mixtures, torch.tensor([[0, -1, -1]])).item(), 6)
        0.0
    """

    def __init__(self, loss_func: Callable, reduction: str = "mean", *, generalized: bool = True):
        super().__init__()
        self.loss_func = loss_func
        self.reduction = check_reduction(reduction)
        self.generalized = generalized

    def forward(
        self,
        est_sources: Tensor,
        mixtures: Tensor,
        assignment: Tensor | None = None,
        return_est: bool = False,
        **kwargs: Any,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the loss of the best allowed assignment (see the class).

        Args:
            est_sources: the estimates.
            mixtures: what they should add up to.
            assignment: what the text says of them.
            return_est: also return the estimated mixtures.
            **kwargs: passed to `loss_func`.
        """
        _check_inputs(est_sources, mixtures)
        est, mixtures = at_least_float32(est_sources), at_least_float32(mixtures)
        shape = (est.shape[0], mixtures.shape[1], est.shape[1])
        weights, unknown = read_assignment(assignment, shape, est.device)
        if unknown.any():
            with torch.no_grad():
                weights = self._search(est, mixtures, weights, unknown, kwargs)
        est_mixtures = mix_estimates(weights, est)
        losses = evaluate(self.loss_func, est_mixtures, mixtures, kwargs)
        loss = reduce_batch(losses, self.reduction)
        return (loss, est_mixtures.to(est_sources)) if return_est else loss

    def _search(
        self, est: Tensor, mixtures: Tensor, weights: Tensor, unknown: Tensor, kwargs: dict
    ) -> Tensor:
        """Puts the unknown estimates where the loss is least; returns all weights (B, N, S)."""
        weights = weights.clone()
        counts = unknown.sum(1)
        for count in counts.unique().tolist():
            rows = (counts == count).nonzero().squeeze(1)
            if count == 0:
                continue
            places = unknown[rows].nonzero()[:, 1].view(len(rows), count)  # (R, U)
            codes = partition_codes(count, mixtures.shape[1], est.device)
            allowed = self._allowed(weights[rows], codes, count)
            args = (est[rows], mixtures[rows], weights[rows], places, codes, allowed)
            best = codes[self._partition_losses(*args, kwargs).argmin(1)]  # (R, N)
            weights[rows] += code_weights(best, places, est.shape[1]).to(weights)
        return weights

    def _partition_losses(
        self,
        est: Tensor,
        mixtures: Tensor,
        weights: Tensor,
        places: Tensor,
        codes: Tensor,
        allowed: Tensor,
        kwargs: dict,
    ) -> Tensor:
        """Losses of all partitions (B, K), infinite where one is not allowed."""
        form = None if kwargs else quadratic_form(self.loss_func)
        if form is not None:
            gram = gram_matrix(torch.cat([est, mixtures], dim=1), form.zero_mean)
            table = subset_losses(form, gram, weights, places, mixtures[0, 0].numel())
            by_mixture = [table[:, n, codes[:, n]] for n in range(codes.shape[1])]
            losses = torch.stack(by_mixture).mean(0)
        else:
            losses = est.new_full(allowed.shape, torch.inf, dtype=torch.float64)
            for k in allowed.any(0).nonzero().squeeze(1).tolist():
                code = codes[k].expand(len(est), -1)
                trial = weights + code_weights(code, places, est.shape[1]).to(weights)
                losses[:, k] = evaluate(
                    self.loss_func, mix_estimates(trial, est), mixtures, kwargs
                ).to(losses)
        return losses.masked_fill(~allowed, torch.inf)

    def _allowed(self, weights: Tensor, codes: Tensor, count: int) -> Tensor:
        """Which partitions may be chosen for each example, (B, K)."""
        batch, n_mix, n_est = weights.shape
        if self.generalized:
            return torch.ones(batch, len(codes), dtype=torch.bool, device=codes.device)
        bits = codes[..., None] >> torch.arange(count, device=codes.device) & 1  # (K, N, U)
        sizes = bits.sum(-1) + weights.sum(-1).long().unsqueeze(1)  # (B, K, N)
        allowed = (sizes * n_mix == n_est).all(-1)
        if not allowed.any(1).all():
            raise ValueError(
                f"generalized=False: expected {n_est} estimates to fill {n_mix} mixtures equally, "
                "received an assignment or numbers that do not allow it."
            )
        return allowed


def read_assignment(
    assignment: Tensor | None, shape: tuple[int, int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Returns the known weights of `shape`, (B, N, S), and which estimates are unknown (B, S)."""
    batch, n_mix, n_est = shape
    if assignment is None:
        assignment = torch.full((batch, n_est), UNKNOWN)
    assignment = torch.as_tensor(assignment, device=device)
    if assignment.shape == shape:
        weights, unknown = assignment, torch.zeros(batch, n_est, dtype=torch.bool, device=device)
        if not torch.isfinite(weights).all() or (weights < 0).any():
            raise ValueError("assignment: expected weights >= 0, received negative or NaN ones.")
    elif assignment.shape == (batch, n_est):
        weights, unknown = _one_hot_assignment(assignment, n_mix)
    else:
        raise ValueError(
            f"assignment: expected (batch, n_est) = {(batch, n_est)} or (batch, n_mix, n_est) = "
            f"{shape}, received {tuple(assignment.shape)}."
        )
    lonely = (weights.sum(2) == 0) & ~unknown.any(1, keepdim=True)
    if lonely.any():
        row, mixture = lonely.nonzero()[0].tolist()
        raise ValueError(
            f"assignment: expected an estimate for every mixture, received none for mixture "
            f"{mixture} of example {row}."
        )
    return weights, unknown


def _one_hot_assignment(assignment: Tensor, n_mix: int) -> tuple[Tensor, Tensor]:
    if assignment.is_floating_point() or assignment.is_complex():
        raise ValueError(
            f"assignment: expected integer mixture indices, received {assignment.dtype}."
        )
    if (assignment < UNKNOWN).any() or (assignment >= n_mix).any():
        raise ValueError(
            f"assignment: expected -1 (unknown) to {n_mix - 1}, received values from "
            f"{assignment.min().item()} to {assignment.max().item()}."
        )
    mixture = torch.arange(n_mix, device=assignment.device)[None, :, None]
    return (assignment.unsqueeze(1) == mixture).float(), assignment == UNKNOWN


def partition_codes(n_unknown: int, n_mix: int, device: torch.device | None = None) -> Tensor:
    """All ways to share estimates among mixtures: (K, N), bit j set where estimate j goes.

    Examples:
        >>> partition_codes(2, 2).tolist()
        [[3, 0], [2, 1], [1, 2], [0, 3]]
    """
    total = n_mix**n_unknown
    if total > MAX_PARTITIONS:
        raise ValueError(
            f"expected at most {MAX_PARTITIONS} partitions to search, received {total} "
            f"({n_unknown} unknown estimates, {n_mix} mixtures): assign more of them from the text."
        )
    index = torch.arange(total, device=device)
    codes = torch.zeros(total, n_mix, dtype=torch.long, device=device)
    for j in range(n_unknown):
        digit = index.div(n_mix**j, rounding_mode="floor") % n_mix
        codes.scatter_add_(1, digit[:, None], codes.new_full((total, 1), 2**j))
    return codes


def code_weights(codes: Tensor, places: Tensor, n_est: int) -> Tensor:
    """Turns codes (B, N) of the estimates at `places` (B, U) into weights (B, N, S)."""
    bits = codes[..., None] >> torch.arange(places.shape[1], device=codes.device) & 1  # (B, N, U)
    weights = bits.new_zeros(*codes.shape, n_est)
    return weights.scatter_(2, places.unsqueeze(1).expand_as(bits), bits)


def mix_estimates(weights: Tensor, est: Tensor) -> Tensor:
    """Adds estimates up into mixtures: (B, N, S) and (B, S, ...) to (B, N, ...)."""
    # Autocast would round the waveforms to half precision.
    with torch.autocast(est.device.type, enabled=False):
        mixed = weights.to(est) @ est.flatten(2)
    return mixed.unflatten(2, est.shape[2:])


def evaluate(loss_func: Callable, est: Tensor, targets: Tensor, kwargs: dict) -> Tensor:
    """Calls `loss_func` and returns one value per example (B,)."""
    losses = loss_func(est, targets, **kwargs)
    batch, n_mix = targets.shape[:2]
    if losses.shape == (batch, n_mix, n_mix):
        losses = losses.diagonal(dim1=1, dim2=2).mean(1)
    if losses.shape != (batch,):
        raise ValueError(
            f"loss_func: expected values of shape (batch,) = {(batch,)} or (batch, n_mix, n_mix), "
            f"received {tuple(losses.shape)}: use a multisrc or pairwise loss, or reduction='none'."
        )
    return losses


def _check_inputs(est: Tensor, mixtures: Tensor) -> None:
    check_signals("est_sources", est, "(batch, n_est, ...)")
    check_signals("mixtures", mixtures, "(batch, n_mix, ...)")
    if est.shape[0] != mixtures.shape[0] or est.shape[2:] != mixtures.shape[2:]:
        raise ValueError(
            "expected estimates and mixtures that differ only in their second axis, received "
            f"{tuple(est.shape)} and {tuple(mixtures.shape)}."
        )
