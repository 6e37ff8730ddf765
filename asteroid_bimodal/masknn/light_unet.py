"""A conditional U-Net whose way up costs little for each query."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import ResidualBlock, repeat_for_queries
from .cond_levels import ConditionalUNet, DownLevel, double

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding


class LightLevel(DownLevel):
    """One level, down and up; the outermost, the first, holds what the head needs."""

    def __init__(self, in_channels: int, index: int, config: Mapping[str, Any]) -> None:
        super().__init__(in_channels, index, config)
        channels, outermost = self.channels, index == 0
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        joins = not outermost and index < config["num_downs"] - 1
        self.shared_conv = conv(channels, channels)
        self.shared_norm = nn.BatchNorm2d(channels)
        self.own_conv = conv(channels, channels) if joins else None
        if outermost:
            self.up_conv = conv(channels, config["out_dim"], bias=True)
            self.gate = conv(channels, 1, bias=True)
            self.detail = nn.Sequential(
                conv(1, channels, bias=True),
                nn.LeakyReLU(0.2, inplace=True),
                conv(channels, 1, bias=True),
            )
        else:
            self.up_res = ResidualBlock(channels, config["num_res_layers"])
            self.up_conv = conv(channels, in_channels)
            self.up_norm = nn.BatchNorm2d(in_channels)

    def join(self, skip: Tensor, below: Tensor | None) -> Tensor:
        """Adds (G, C, H, W), convolved once for all queries, to (N, C, H, W)."""
        x = self.shared_norm(self.shared_conv(skip))
        if below is not None:
            own = below if self.own_conv is None else self.own_conv(below)
            x = repeat_for_queries(x, own.shape[0]) + own
        return F.leaky_relu_(x, 0.2)

    def up(self, skip: Tensor, below: Tensor | None) -> Tensor:
        """Joins (G, C, H, W) and (N, C, H, W) and doubles the size, (N, C_in, 2·H, 2·W)."""
        x = self.up_conv(self.up_res(self.join(skip, below)))
        return double(F.relu_(self.up_norm(x)))


class LightUNet(ConditionalUNet):
    """`CondUNet`'s way down, and a way up with an eighth of its operations for each query.

    On the way up each level adds a convolution of its skip, made once for all queries, to one of
    what comes from below, and doubles the size after its last convolution, not before the first.
    The head makes the logits at half of the resolution, doubles them, and adds the detail of the
    full resolution: a map of the mixture, which all queries share, times what each query wants of
    it at each place.

    It takes `CondUNet`'s arguments.

    Shape:
        - log_mag: (B, 1, F, T), any F and T
        - query: `QueryEmbedding` of tokens (B, Q, L, D), mask (B, Q, L), pooled (B, Q, E)
        - returns: masks (B, Q, F, T) between 0 and 1

    Raises:
        ValueError: On a value that no such network has, and on inputs of another shape.

    Examples:
        >>> from types import SimpleNamespace
        >>> query = SimpleNamespace(
        ...     tokens=torch.randn(2, 3, 6, 12),
        ...     mask=torch.ones(2, 3, 6, dtype=torch.bool),
        ...     pooled=torch.randn(2, 3, 10),
        ... )
        >>> masker = LightUNet(cond_dim=12, pooled_dim=10, num_downs=5, ngf=2, num_heads=2)
        >>> masker(torch.rand(2, 1, 64, 48), query).shape
        torch.Size([2, 3, 64, 48])
    """

    level_class = LightLevel

    def forward(self, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns the masks of all queries; see the class for shapes."""
        flat = self._flat_query(log_mag, query)
        x = normed = self._normed(log_mag)
        levels, skips = cast("list[LightLevel]", list(self.levels)), []
        for level in levels:
            x = level.down(x, *flat)
            skips.append(x)
        below = None
        for level in reversed(levels[1:]):
            below = level.up(skips.pop(), below)
        logits = self._logits(levels[0].join(skips.pop(), below), normed, flat[-1])
        masks = torch.sigmoid(logits)[..., : log_mag.shape[-2], : log_mag.shape[-1]]
        return masks.unflatten(0, query.pooled.shape[:2])  # (B, Q, F, T)

    def _logits(self, maps: Tensor, normed: Tensor, pooled: Tensor) -> Tensor:
        """The maps (B·Q, C, F / 2, T / 2) and the detail of (B, 1, F, T) as (B·Q, F, T)."""
        outer = cast(LightLevel, self.levels[0])
        coarse = self.head(outer.up_conv, maps, pooled).unsqueeze(1)
        both = double(torch.cat([coarse, outer.gate(maps).to(coarse)], dim=1))
        both = both.unflatten(0, (normed.shape[0], -1))  # (B, Q, 2, F, T)
        detail = outer.detail(normed).to(both)
        return torch.addcmul(both[:, :, 0], both[:, :, 1], detail).flatten(0, 1)
