"""Pretrained networks inside other modules: frozen, shared, kept out of checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class FrozenModule(nn.Module):
    """Base of modules around a pretrained network that others may share.

    The network follows its owner to another device, and is otherwise invisible: never trained,
    never in training mode, never in a `state_dict`, always in the precision it was loaded in.

    Args:
        network: the pretrained network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # In a tuple, where nn.Module does not look.
        self._hidden = (network.eval().requires_grad_(False),)

    @property
    def network(self) -> Any:
        """The pretrained network."""
        return self._hidden[0]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenModule:
        device = fn(torch.empty(0, device=self.device)).device
        if device != self.device:
            self.network.to(device)
        return super()._apply(fn, recurse)


class FixedNorm2d(nn.BatchNorm2d):
    """A frozen `BatchNorm2d` in eval mode, computed as the scaling and shift that it is.

    PyTorch's own (seen with 2.14.1 on CPU) gives its input a wrong gradient when its parameters are
    frozen and the gradient that comes back is laid out otherwise in memory than the input: CLAP's
    audio tower transposes its features, and no gradient of it would be right.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps)
        self.load_state_dict(norm.state_dict())
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises (N, C, H, W)."""
        scale = (self.running_var + self.eps).rsqrt() * self.weight  # (C,)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


def freeze_norms(model: nn.Module) -> None:
    """Replaces each `BatchNorm2d` of a network by a `FixedNorm2d`."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, FixedNorm2d(child))


def weights_digest(settings: str, *modules: nn.Module) -> str:
    """Tells networks from all others by their weights."""
    digest = hashlib.sha256(settings.encode())
    for module in modules:
        for tensor in module.state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
