r"""Losses that need only inner products of signals, and their values for all subsets of estimates.

A mixture of estimates :math:`\sum_{j \in A} \hat s_j` has the energy
:math:`\sum_{i,j \in A} \langle \hat s_i, \hat s_j\rangle` and the inner product
:math:`\sum_{j \in A} \langle \hat s_j, x\rangle` with a target, so that one Gram matrix gives
a quadratic loss for every subset :math:`A` without touching the signals again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from asteroid.losses.mse import PairwiseMSE, SingleSrcMSE
from asteroid.losses.sdr import MultiSrcNegSDR, PairwiseNegSDR
from torch import Tensor

_SDR = (MultiSrcNegSDR, PairwiseNegSDR)


@dataclass(frozen=True)
class QuadraticForm:
    """A loss of one estimate and one target, written in their inner products.

    A loss of your own takes part in the fast search when it has an attribute `quadratic_form`
    of this kind and averages over the mixtures.

    Attributes:
        value: `(dot, est_energy, target_energy, size) -> loss`, elementwise; `size` is the number
            of samples.
        zero_mean: whether the loss first removes the mean of both signals.
    """

    value: Callable[[Tensor, Tensor, Tensor, int], Tensor]
    zero_mean: bool = False


def quadratic_form(loss_func: Callable) -> QuadraticForm | None:
    """Returns the form of Asteroid's MSE, SNR, SI-SDR and SD-SDR losses, or a loss's own, or None.

    Examples:
        >>> from asteroid.losses import multisrc_mse
        >>> quadratic_form(multisrc_mse).zero_mean
        False
    """
    own = getattr(loss_func, "quadratic_form", None)
    # Exact types: a subclass may compute something else.
    if own is None and type(loss_func) in (SingleSrcMSE, PairwiseMSE):
        return QuadraticForm(_mse)
    if own is None and isinstance(loss_func, _SDR) and type(loss_func) in _SDR:
        return QuadraticForm(_neg_sdr(loss_func), zero_mean=loss_func.zero_mean)
    return own


def _mse(dot: Tensor, est_energy: Tensor, target_energy: Tensor, size: int) -> Tensor:
    return (est_energy - 2 * dot + target_energy) / size


def _neg_sdr(loss: MultiSrcNegSDR | PairwiseNegSDR) -> Callable[..., Tensor]:
    """Returns the value of one of Asteroid's SDR losses, its small constants included."""

    def value(dot: Tensor, est_energy: Tensor, target_energy: Tensor, size: int) -> Tensor:
        scale = 1 if loss.sdr_type == "snr" else dot / (target_energy + loss.EPS)
        noise_scale = scale if loss.sdr_type == "sisdr" else 1
        noise = est_energy - 2 * noise_scale * dot + noise_scale**2 * target_energy
        sdr = scale**2 * target_energy / (noise.clamp(min=0) + loss.EPS)
        return -10 * torch.log10(sdr + loss.EPS) if loss.take_log else -sdr

    return value


def gram_matrix(signals: Tensor, zero_mean: bool = False) -> Tensor:
    """Inner products of every example's signals: (B, M, ...) to (B, M, M), in double precision.

    Double, because the energy of a residual is a small difference of large products. One example
    at a time, so that only one is ever held in double precision.
    """
    dtype = torch.float32 if signals.device.type == "mps" else torch.float64

    def products(example: Tensor) -> Tensor:
        example = example.to(dtype)
        if zero_mean:
            example = example - example.mean(-1, keepdim=True)
        return example @ example.T

    # Autocast would undo the precision.
    with torch.autocast(signals.device.type, enabled=False):
        return torch.stack([products(example) for example in signals.flatten(2)])


def subset_sums(values: Tensor) -> Tensor:
    """Sums of all subsets: (..., U) to (..., 2^U); bit j of the index says that j is in.

    Examples:
        >>> subset_sums(torch.tensor([1.0, 10.0])).tolist()
        [0.0, 1.0, 10.0, 11.0]
    """
    sums = values.new_zeros(*values.shape[:-1], 1)
    for value in values.unbind(-1):
        sums = torch.cat([sums, sums + value[..., None]], dim=-1)
    return sums


def subset_energies(gram: Tensor) -> Tensor:
    """Energies of the sums of all subsets of signals: (..., U, U) to (..., 2^U).

    Examples:
        >>> subset_energies(torch.ones(2, 2)).tolist()  # twice the same unit signal
        [0.0, 1.0, 1.0, 4.0]
    """
    energies = gram.new_zeros(*gram.shape[:-2], 1)
    for j in range(gram.shape[-1]):
        added = gram[..., j, j, None] + 2 * subset_sums(gram[..., j, :j])
        energies = torch.cat([energies, energies + added], dim=-1)
    return energies


def subset_losses(
    form: QuadraticForm, gram: Tensor, known: Tensor, unknown: Tensor, size: int
) -> Tensor:
    """Loss of each mixture when any subset of the unknown estimates joins its known ones.

    Args:
        form: the loss.
        gram: inner products of the estimates, then the mixtures, (B, S + N, S + N).
        known: 1 where an estimate is known to belong to a mixture, (B, N, S).
        unknown: indices of the other estimates, (B, U).
        size: samples in a signal.

    Returns:
        Losses (B, N, 2^U).
    """
    n_est = known.shape[2]
    known = known.to(gram)
    chosen = torch.nn.functional.one_hot(unknown, n_est).to(gram)  # (B, U, S)
    between = gram[:, :n_est, :n_est]
    with_target = gram[:, :n_est, n_est:].transpose(1, 2)  # (B, N, S)
    target_energy = gram.diagonal(dim1=1, dim2=2)[:, n_est:, None]  # (B, N, 1)
    known_between = known @ between  # (B, N, S)
    est_energy = (
        (known_between * known).sum(-1, keepdim=True)
        + 2 * subset_sums(known_between @ chosen.mT)
        + subset_energies(chosen @ between @ chosen.mT).unsqueeze(1)
    )  # (B, N, 2^U)
    dot = (with_target * known).sum(-1, keepdim=True) + subset_sums(with_target @ chosen.mT)
    return form.value(dot, est_energy, target_energy, size)
