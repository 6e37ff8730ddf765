"""What every loss here checks of its input, and the one place where batches are reduced."""

from __future__ import annotations

import torch
from torch import Tensor, nn

REDUCTIONS = ("mean", "none")


class NotFiniteError(ValueError):
    """NaN or infinity where a loss expects numbers."""


def check_reduction(reduction: str) -> str:
    """Returns `reduction`, or raises `ValueError` when it is not one of Asteroid's two."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction: expected one of {REDUCTIONS}, received {reduction!r}.")
    return reduction


def reduce_batch(values: Tensor, reduction: str) -> Tensor:
    """Averages per-example values (B,) over the batch, or leaves them alone."""
    return values.mean() if reduction == "mean" else values


def mean_per_example(values: Tensor) -> Tensor:
    """Averages everything but the batch axis: (B, ...) to (B,)."""
    return values.flatten(1).mean(1)


def check_signals(name: str, signals: Tensor, legend: str, min_ndim: int = 3) -> None:
    """Raises `ValueError` unless `signals` has at least `min_ndim` axes, no empty one, no NaN."""
    if signals.ndim < min_ndim or 0 in signals.shape:
        raise ValueError(
            f"{name}: expected {legend} without empty axes, received {tuple(signals.shape)}."
        )
    check_finite(name, signals)


def check_finite(name: str, tensor: Tensor) -> None:
    """Raises `NotFiniteError` when `tensor` holds NaN or infinity."""
    if not torch.isfinite(tensor).all():
        raise NotFiniteError(
            f"{name}: expected finite numbers, received NaN or infinity; "
            "look for a diverged model or a broken file."
        )


def check_shape(name: str, tensor: Tensor, expected: tuple[int, ...], legend: str) -> None:
    """Raises `ValueError` unless `tensor` has the `expected` shape, which `legend` explains."""
    if tuple(tensor.shape) != expected:
        raise ValueError(f"{name}: expected {legend} = {expected}, received {tuple(tensor.shape)}.")


def check_broadcast(name: str, tensor: Tensor, like: Tensor) -> None:
    """Raises `ValueError` unless `tensor` broadcasts to the shape of `like`."""
    try:
        fits = torch.broadcast_shapes(tensor.shape, like.shape) == like.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name}: expected a shape that broadcasts to {tuple(like.shape)}, "
            f"received {tuple(tensor.shape)}."
        )


def at_least_float32(tensor: Tensor) -> Tensor:
    """Widens half-precision tensors, whose sums over a whole signal would lose their digits.

    A gradient too large for float16 comes back as its largest number, not as infinity.
    """
    if tensor.dtype not in (torch.float16, torch.bfloat16):
        return tensor
    wide = tensor.float()
    if tensor.dtype == torch.float16 and wide.requires_grad:
        most = torch.finfo(torch.float16).max
        wide.register_hook(lambda gradient: gradient.clamp(-most, most))
    return wide


def as_weights(tensor: Tensor, network: nn.Module) -> Tensor:
    """Gives a tensor the precision of a network's weights."""
    return tensor.to(next(network.parameters(), tensor).dtype)


def check_same_signals(name: str, signals: Tensor, other_name: str, other: Tensor) -> None:
    """Raises `ValueError` unless both are signals (batch, n_src, ...) of one shape."""
    check_signals(name, signals, "(batch, n_src, ...)")
    check_signals(other_name, other, "(batch, n_src, ...)")
    check_shape(name, signals, tuple(other.shape), f"the shape of {other_name}")
