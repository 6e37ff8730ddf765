"""Permutation invariant training with whole mixtures as targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from asteroid.losses import PITLossWrapper
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from .checks import (
    NotFiniteError,
    at_least_float32,
    check_reduction,
    check_same_signals,
    reduce_batch,
)

PIT_FROM = ("pw_mtx", "pw_pt", "perm_avg")


class MixPITLossWrapper(nn.Module):
    r"""MixPIT: a mixture of mixtures is separated into its mixtures, in any order.

    .. math::
        \mathcal{L} = \min_{\pi \in S_N}
            \frac{1}{N} \sum_{n=1}^{N} \mathcal{L}_{\mathrm{func}}(\hat s_{\pi(n)}, x_n),
        \qquad \hat s = f\Big(\sum_n x_n\Big)

    There are as many estimates as mixtures, so that a model trained in this way on mixtures of N
    mixtures separates a mixture of N sources.

    Args:
        loss_func: as for `asteroid.losses.PITLossWrapper`.
        pit_from: what `loss_func` returns: ``"pw_mtx"``, pairwise losses (B, N, N); ``"pw_pt"``,
            the loss of one estimate and one target (B,); ``"perm_avg"``, that of all (B,).
        perm_reduce: as for Asteroid's: makes one loss of those of the pairs of an order, (B, N!, N)
            to (B, N!); the mean by default. Not for ``"perm_avg"``.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est_sources, mixtures: :math:`(B, N, ...)`.
        - output: scalar, or :math:`(B,)`; with `return_est` also the estimates in the order of
          the mixtures.

    References:
        Karamatlı and Kırbız, "MixCycle: unsupervised speech separation via cyclic mixture
        permutation invariant training", IEEE Signal Processing Letters, 2022.

    Examples:
        >>> import torch
        >>> from asteroid.losses import pairwise_mse
        >>> from asteroid_bimodal.losses import MixPITLossWrapper
        >>> mixtures = torch.randn(4, 2, 16000)
        >>> MixPITLossWrapper(pairwise_mse)(mixtures.flip(1), mixtures).item()
        0.0
    """

    reorder_source = staticmethod(PITLossWrapper.reorder_source)
    get_pw_losses = staticmethod(PITLossWrapper.get_pw_losses)
    best_perm_from_perm_avg_loss = staticmethod(PITLossWrapper.best_perm_from_perm_avg_loss)
    find_best_perm = staticmethod(PITLossWrapper.find_best_perm)
    find_best_perm_factorial = staticmethod(PITLossWrapper.find_best_perm_factorial)
    find_best_perm_hungarian = staticmethod(PITLossWrapper.find_best_perm_hungarian)

    def __init__(
        self,
        loss_func: Callable,
        pit_from: str = "pw_mtx",
        perm_reduce: Callable | None = None,
        *,
        reduction: str = "mean",
    ):
        super().__init__()
        if pit_from not in PIT_FROM:
            raise ValueError(f"pit_from: expected one of {PIT_FROM}, received {pit_from!r}.")
        self.loss_func = loss_func
        self.pit_from = pit_from
        self.perm_reduce = perm_reduce
        self.reduction = check_reduction(reduction)

    def forward(
        self,
        est_sources: Tensor,
        mixtures: Tensor,
        return_est: bool = False,
        reduce_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the loss of the best order (see the class).

        Args:
            est_sources: the estimates.
            mixtures: the mixtures whose sum was separated.
            return_est: also return the estimates in the order of the mixtures.
            reduce_kwargs: passed to `perm_reduce`.
            **kwargs: passed to `loss_func`.
        """
        check_same_signals("est_sources", est_sources, "mixtures", mixtures)
        est, targets = at_least_float32(est_sources), at_least_float32(mixtures)
        losses, order = self._best_order(est, targets, reduce_kwargs or {}, kwargs)
        loss = reduce_batch(losses, self.reduction)
        if not return_est:
            return loss
        return loss, PITLossWrapper.reorder_source(est_sources, order.to(est_sources.device))

    def _best_order(
        self, est: Tensor, targets: Tensor, reduce_kwargs: dict, kwargs: dict
    ) -> tuple[Tensor, Tensor]:
        """Searches as Asteroid does, but keeps the batch axis that its wrapper averages away."""
        if self.pit_from == "perm_avg":
            search = PITLossWrapper.best_perm_from_perm_avg_loss
            return search(self.loss_func, est, targets, **kwargs)
        if self.pit_from == "pw_pt":
            pairs = PITLossWrapper.get_pw_losses(self.loss_func, est, targets, **kwargs)
        else:
            pairs = self.loss_func(est, targets, **kwargs)
        batch, n_mix = targets.shape[:2]
        if pairs.shape != (batch, n_mix, n_mix):
            raise ValueError(
                f"loss_func: expected pairwise losses (batch, n_mix, n_mix) = "
                f"{(batch, n_mix, n_mix)}, received {tuple(pairs.shape)}: use a pairwise loss, or "
                "tell pit_from."
            )
        if not torch.isfinite(pairs).all():
            raise NotFiniteError("loss_func: expected finite losses, received NaN or infinity.")
        if self.perm_reduce is None:
            return best_permutation(pairs)
        return self.find_best_perm_factorial(pairs, self.perm_reduce, **reduce_kwargs)


def best_permutation(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the pairing with the least mean loss.

    Asteroid 0.7.0's `PITLossWrapper.find_best_perm` fails on bfloat16 from four sources on and
    rounds the losses under autocast; this one does neither.

    Args:
        pairs: losses of every estimate with every target, (B, N, N), finite.

    Returns:
        The mean loss of the best pairing (B,), and which estimate goes to each target (B, N).

    Examples:
        >>> losses, order = best_permutation(torch.tensor([[[5.0, 1.0], [0.0, 9.0]]]))
        >>> losses.tolist(), order.tolist()
        ([0.5], [[1, 0]])
    """
    costs = pairs.detach().cpu().double().numpy()
    orders = [linear_sum_assignment(example.T)[1] for example in costs]
    order = torch.from_numpy(np.stack(orders)).to(pairs.device)  # (B, N)
    return pairs.gather(1, order.unsqueeze(1)).squeeze(1).mean(1), order
