"""The paper's separator with a network that costs less for each query."""

from __future__ import annotations

from os import PathLike
from typing import Any

from ..masknn.light_unet import LightUNet
from .bimodal_unet import BiModalUNet


class LightBiModalUNet(BiModalUNet):
    """Separates what words name, with masks of a `LightUNet`; see `QueriedSeparator` for its use.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.queries.base import QueryEmbedding
        >>> model = LightBiModalUNet(
        ...     8000, 64, 16, None, cond_dim=6, pooled_dim=4, num_downs=5, ngf=2, num_heads=2
        ... )
        >>> query = QueryEmbedding(
        ...     tokens=torch.randn(1, 3, 5, 6),
        ...     mask=torch.ones(1, 3, 5, dtype=torch.bool),
        ...     pooled=torch.randn(1, 3, 4),
        ... )
        >>> model(torch.randn(1000), query).shape
        torch.Size([3, 1000])
    """

    masker_class = LightUNet

    @classmethod
    def from_official(cls, path: str | PathLike, num_heads: int = 8, **_: Any) -> BiModalUNet:
        """Raises `ValueError`: the release's checkpoints are of `BiModalUNet`."""
        raise ValueError(f"{path} holds no such network: load it by BiModalUNet.from_official.")
