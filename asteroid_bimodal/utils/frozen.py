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
        network: the pretrained network; without it, `_load_network` is called when it is needed.
    """

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        # In a tuple, where nn.Module does not look.
        self._hidden = () if network is None else (network.eval().requires_grad_(False),)
        self._device: torch.device | None = None  # where a network that is not loaded yet belongs

    def _load_network(self) -> nn.Module:
        raise NotImplementedError(f"{type(self).__name__} has to define `_load_network`.")

    @property
    def network(self) -> Any:
        """The pretrained network."""
        if not self._hidden:
            with torch.inference_mode(False):  # what it moves must serve training, too
                network = self._load_network().eval().requires_grad_(False)
                self._hidden = (network.to(self._device),)
        return self._hidden[0]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        if not self._hidden:
            return self._device or torch.device("cpu")
        return next(self.network.parameters()).device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenModule:
        device = fn(torch.empty(0, device=self.device)).device
        if device != self.device:
            if self._hidden:
                self.network.to(device)
            self._device = device
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
