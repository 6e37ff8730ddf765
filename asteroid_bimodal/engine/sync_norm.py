"""BatchNorm with the statistics of all processes' examples, on CPUs, for which PyTorch has none."""

from __future__ import annotations

import torch
from pytorch_lightning.plugins.layer_sync import LayerSync
from torch import Tensor, nn
from torch.distributed import get_world_size
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class SyncNorms(LayerSync):
    """Has each BatchNorm of a model look at all processes' examples, for Lightning's Trainer."""

    def __init__(self) -> None:
        self._kinds: dict[nn.Module, type] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        self._kinds = {norm: type(norm) for norm in norms}
        for norm in norms:
            norm.__class__ = _SyncNorm
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        for norm, kind in self._kinds.items():
            norm.__class__ = kind
        return model


class _SyncNorm(_BatchNorm):
    def _check_input_dim(self, _: Tensor) -> None:
        """Takes any, as its class before has looked at it."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        wide = x.float() if x.dtype == torch.bfloat16 else x
        ranks, shape = get_world_size(), [1, -1, *[1] * (x.ndim - 2)]
        mean = all_reduce(wide.mean(axes)) / ranks  # (C,)
        centred = wide - mean.view(shape)
        variance = all_reduce(centred.square().mean(axes)) / ranks
        self._track(mean.detach(), variance.detach(), ranks * x.numel() // x.shape[1])
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.get_buffer("num_batches_tracked").add_(1)
        self.get_buffer("running_mean").lerp_(mean, self.momentum)
        self.get_buffer("running_var").lerp_(variance * count / (count - 1), self.momentum)
