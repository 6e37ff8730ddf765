"""A conditional U-Net whose way up costs little for each query."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import QueryProduct, ResidualBlock, repeat_for_queries
from .cond_levels import DownLevel, check_config, check_query, double, flat_query, pad_to_multiple

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding


class LightUNet(nn.Module):
    """`CondUNet`'s way down, and a way up with an eighth of its operations for each query.

    On the way up each level adds a convolution of its skip, made once for all queries, to one of
    what comes from below, and doubles the size after its last convolution, not before the first.
    The head makes the logits at half of the resolution, doubles them, and adds the detail of the
    full resolution: a map of the mixture, which all queries share, times what each query wants of
    it at each place.

    Args:
        out_dim: number of feature maps that the head weights.
        cond_dim: size D of the query's tokens.
        pooled_dim: size E of the pooled query.
        num_downs: number of levels, 5 or more.
        ngf: channels of the outermost level; the deeper ones have 2, 4, 8, 8, ... times as many.
        num_res_layers: convolutions in a residual block.
        num_cond_blocks: conditioning blocks in each level that has them.
        num_heads: attention heads.
        cond_layer: how the query comes in, see `CondUNet`.
        mask_padding: whether padded tokens are kept out of the attention.
        head_scale: what the head's scales start from.

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

    def __init__(
        self,
        out_dim: int = 32,
        cond_dim: int = 768,
        pooled_dim: int = 512,
        num_downs: int = 7,
        ngf: int = 64,
        num_res_layers: int = 1,
        num_cond_blocks: int = 1,
        num_heads: int = 8,
        cond_layer: str = "sca",
        mask_padding: bool = True,
        head_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self._config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        check_config(self._config)
        self.mask_padding = mask_padding
        self.input_norm = nn.BatchNorm2d(1)
        self.levels, width = nn.ModuleList(), 1
        for index in range(num_downs):
            self.levels.append(level := LightLevel(width, index, self._config))
            width = level.channels
        self.last_conv = nn.Conv2d(ngf, out_dim, 3, padding=1)
        self.head = QueryProduct(pooled_dim, out_dim, head_scale)
        self.gate = nn.Conv2d(ngf, 1, 3, padding=1)
        self.detail = nn.Sequential(
            nn.Conv2d(1, ngf, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ngf, 1, 3, padding=1),
        )

    def forward(self, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns the masks of all queries; see the class for shapes."""
        check_query(log_mag, query, self._config)
        tokens, mask, pooled = flat_query(query, self.mask_padding)
        x = normed = self.input_norm(pad_to_multiple(log_mag, 2 ** len(self.levels)))
        levels, skips = cast("list[LightLevel]", list(self.levels)), []
        for level in levels:
            x = level.down(x, tokens, mask, pooled)
            skips.append(x)
        below = None
        for level in reversed(levels):
            below = level.up(skips.pop(), below)
        logits = self._logits(cast(Tensor, below), self.detail(normed), pooled)
        masks = torch.sigmoid(logits)[..., : log_mag.shape[-2], : log_mag.shape[-1]]
        return masks.unflatten(0, query.pooled.shape[:2])  # (B, Q, F, T)

    def _logits(self, maps: Tensor, detail: Tensor, pooled: Tensor) -> Tensor:
        """Joins the maps (B·Q, C, F / 2, T / 2) and the detail (B, 1, F, T): (B·Q, F, T)."""
        coarse = self.head(self.last_conv, maps, pooled).unsqueeze(1)
        both = double(torch.cat([coarse, self.gate(maps).to(coarse)], dim=1))
        both = both.unflatten(0, (detail.shape[0], -1))  # (B, Q, 2, F, T)
        return torch.addcmul(both[:, :, 0], both[:, :, 1], detail.to(both)).flatten(0, 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that build this network again."""
        return dict(self._config)


class LightLevel(DownLevel):
    """One level, down and up; the outermost, the first, leaves its end to the head."""

    def __init__(self, in_channels: int, index: int, config: Mapping[str, Any]) -> None:
        super().__init__(in_channels, index, config)
        channels, innermost = self.channels, index == config["num_downs"] - 1
        conv = partial(nn.Conv2d, channels, kernel_size=3, padding=1, bias=False)
        self.shared_conv = conv(channels)
        self.shared_norm = nn.BatchNorm2d(channels)
        self.own_conv = conv(channels) if index and not innermost else None
        self.up_res = ResidualBlock(channels, config["num_res_layers"]) if index else None
        self.up_conv = conv(in_channels) if index else None
        self.up_norm = nn.BatchNorm2d(in_channels) if index else None

    def up(self, skip: Tensor, below: Tensor | None) -> Tensor:
        """Joins (G, C, H, W) and (N, C, H, W): (N, C_in, 2·H, 2·W), undoubled in the outermost."""
        x = self.shared_norm(self.shared_conv(skip))
        if below is not None:
            own = below if self.own_conv is None else self.own_conv(below)
            x = repeat_for_queries(x, own.shape[0]) + own
        x = F.leaky_relu_(x, 0.2)
        if self.up_conv is None:
            return x
        x = self.up_conv(cast(ResidualBlock, self.up_res)(x))
        return double(F.relu_(cast(nn.BatchNorm2d, self.up_norm)(x)))
