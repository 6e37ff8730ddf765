"""Activation checkpointing: parts of a network run again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recompute(
    modules: Sequence[nn.Module], function: Callable[..., Tensor], *args: Tensor | None
) -> Tensor:
    """Calls `function` and keeps of its activations only the arguments and the result.

    The backward pass calls it again, up to the last tensor that gradients need: a convolution at
    its end runs once.

    Args:
        modules: what the function runs; their buffers stay as they are in the second run.
        function: draws no random numbers.
        *args: of the function.
    """
    return checkpoint(
        function,
        *args,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), unchanged_buffers(modules)),
    )


@contextmanager
def unchanged_buffers(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Keeps BatchNorm from counting a batch twice in its running statistics."""
    buffers = [buffer for module in modules for buffer in module.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
