"""LASS-Net's residual U-Net: the query scales and shifts the maps of every block.

Letters in shapes: G mixtures before and N queries of all mixtures after the query has come in, Q
queries of a mixture, C channels, D size of the projected query, F frequencies, T frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import repeat_for_queries
from .checks import MOST_LAYERS, check_at_least, check_input
from .cond_levels import pad_to_multiple
from .film import FiLM

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding

_MAX_WIDTH = 12  # channels, in multiples of ngf


class FiLMResUNet(nn.Module):
    """Residual U-Net over a log-magnitude spectrogram, conditioned in every block.

    On the way down each level runs two residual blocks and halves the size (mean of 2×2); a block
    more in the middle; on the way up each level doubles the size (transposed convolution 3×3), and
    runs two residual blocks on its skip and what comes from below. A last block and a convolution
    1×1 give the logits of the mask. It is a mask of magnitudes: LASS-Net predicts no phase either,
    that of the mixture is kept.

    Two things differ from the authors' code: it reads magnitudes, not their logarithm, and its FiLM
    is a shift alone, by two layers.

    The query comes in with the first block: what is before its first FiLM runs once for each
    mixture, all else once for each query, all of them in one pass.

    Args:
        pooled_dim: size E of the pooled query.
        num_downs: number of levels.
        ngf: channels of the outermost level; the deeper ones have 2, 4, 8, 12, 12, ... times as
            many.
        film_dim: size D of the query after a linear layer and ReLU, which every FiLM reads.

    Shape:
        - log_mag: (B, 1, F, T), any F and T
        - query: `QueryEmbedding` of pooled (B, Q, E); tokens and mask are not looked at
        - returns: masks (B, Q, F, T) between 0 and 1

    Raises:
        ValueError: on a value that no such network has, and on inputs of another shape.

    References:
        Liu et al., "Separate what you describe: language-queried audio source separation",
        Interspeech 2022.

    Examples:
        >>> from types import SimpleNamespace
        >>> query = SimpleNamespace(pooled=torch.randn(2, 3, 10))
        >>> masker = FiLMResUNet(pooled_dim=10, num_downs=5, ngf=2, film_dim=8)
        >>> masker(torch.rand(2, 1, 65, 48), query).shape
        torch.Size([2, 3, 65, 48])
    """

    def __init__(
        self, pooled_dim: int = 256, num_downs: int = 6, ngf: int = 32, film_dim: int = 256
    ) -> None:
        super().__init__()
        self._config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        check_at_least(self._config, 1, *self._config)
        check_at_least(self._config, 1, "num_downs", most=MOST_LAYERS)
        widths = [1, *(ngf * min(2**level, _MAX_WIDTH) for level in range(num_downs))]
        self.query_proj = nn.Sequential(nn.Linear(pooled_dim, film_dim), nn.ReLU())
        self.encoders = nn.ModuleList(
            BlockPair(widths[level], widths[level + 1], film_dim) for level in range(num_downs)
        )
        self.middle = FiLMResidualBlock(widths[-1], widths[-1], film_dim)
        self.decoders = nn.ModuleList(
            Decoder(widths[min(level + 1, num_downs)], widths[level], film_dim)
            for level in range(num_downs, 0, -1)
        )
        self.last = FiLMResidualBlock(ngf, ngf, film_dim)
        self.head = nn.Conv2d(ngf, 1, 1)

    def forward(self, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns the masks of all queries; see the class for shapes."""
        check_input(log_mag, query, self._config["pooled_dim"])
        cond = self.query_proj(query.pooled.flatten(0, 1))  # (B·Q, D)
        x = pad_to_multiple(log_mag, 2 ** len(self.encoders))
        skips = []
        for encoder in self.encoders:
            x = encoder(x, cond)
            skips.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.middle(x, cond)
        for decoder in self.decoders:
            x = decoder(x, skips.pop(), cond)
        logits = self.head(self.last(x, cond)).squeeze(1)  # (B·Q, F, T)
        masks = torch.sigmoid(logits)[..., : log_mag.shape[-2], : log_mag.shape[-1]]
        return masks.unflatten(0, query.pooled.shape[:2])  # (B, Q, F, T)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that build this network again."""
        return dict(self._config)


class FiLMResidualBlock(nn.Module):
    """Two rounds of BatchNorm, LeakyReLU, convolution 3×3 and FiLM, plus the input.

    x (G, C_in, H, W) and cond (N, D) become (N, C, H, W), N a multiple of G. Where the number of
    channels changes, the input takes a convolution 1×1 with a FiLM of its own.
    """

    def __init__(self, in_channels: int, channels: int, film_dim: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.film1 = FiLM(film_dim, channels)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.film2 = FiLM(film_dim, channels)
        wider = in_channels != channels
        self.shortcut = nn.Conv2d(in_channels, channels, 1) if wider else None
        self.shortcut_film = FiLM(film_dim, channels) if wider else None

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        residual = self._residual(x, cond)
        x = self.conv1(F.leaky_relu_(self.norm1(x), 0.01))
        x = self.film1(repeat_for_queries(x, len(cond)), cond)  # (N, C, H, W)
        x = self.conv2(F.leaky_relu_(self.norm2(x), 0.01))
        return self.film2(x, cond) + residual

    def _residual(self, x: Tensor, cond: Tensor) -> Tensor:
        if self.shortcut is None or self.shortcut_film is None:
            return repeat_for_queries(x, len(cond))
        return self.shortcut_film(repeat_for_queries(self.shortcut(x), len(cond)), cond)


class BlockPair(nn.Module):
    """Two residual blocks, the first of which changes the number of channels."""

    def __init__(self, in_channels: int, channels: int, film_dim: int) -> None:
        super().__init__()
        self.block1 = FiLMResidualBlock(in_channels, channels, film_dim)
        self.block2 = FiLMResidualBlock(channels, channels, film_dim)

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        return self.block2(self.block1(x, cond), cond)


class Decoder(nn.Module):
    """Doubles the size, (N, C_in, H, W), and joins what comes with the skip (N, C, 2·H, 2·W)."""

    def __init__(self, in_channels: int, channels: int, film_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.up_conv = nn.ConvTranspose2d(in_channels, channels, 3, stride=2, bias=False)
        self.blocks = BlockPair(2 * channels, channels, film_dim)

    def forward(self, x: Tensor, skip: Tensor, cond: Tensor) -> Tensor:
        x = self.up_conv(F.relu_(self.norm(x)))  # (N, C, 2·H + 1, 2·W + 1)
        x = x[..., : skip.shape[-2], : skip.shape[-1]]
        return self.blocks(torch.cat([x, skip], dim=1), cond)
