"""The U-Net of Sound of Pixels and CLIPSep: the query is met at the very end.

Letters in shapes: B mixtures, Q queries, M noise heads, E pooled size, C channels, F frequencies on
the linear and H rows on the U-Net's scale, T frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import HalvingConv, QueryProduct
from .checks import MOST_LAYERS, check_at_least, check_input
from .cond_levels import pad_to_multiple

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding

_MAX_WIDTH = 8  # channels, in multiples of ngf
_FAINTEST = 1e-10  # added to magnitudes before their logarithm
_WARP = 20  # a row of the logarithmic scale spans 1 + 20 times as much at the top as at the bottom


@dataclass(frozen=True)
class MasksWithNoise:
    """Masks of what was asked for, and of what no query names.

    Attributes:
        masks: of the queries, (B, Q, F, T).
        noise: of the noise heads, (B, M, F, T).
    """

    masks: Tensor
    noise: Tensor


class SoundUNet(nn.Module):
    r"""U-Net whose feature maps are made without the query, and weighted by it into masks.

    Each level goes down by a convolution 4×4 of stride 2, BatchNorm (but for the first and the
    last level) and LeakyReLU, and up by ReLU, bilinear doubling, a convolution 3×3 and BatchNorm.
    The outermost gives `out_dim` maps :math:`x_c`, from which the head makes a mask for each
    pooled query :math:`e`: :math:`\sigma(\sum_c s_c \, \sigma(W e + b)_c \, x_c + b_0)`.

    The U-Net works on a logarithmic frequency scale: its row at the relative height :math:`v` is
    read at the relative frequency :math:`u = (21^v - 1) / 20`, both from 0 to 1, by linear
    interpolation; masks are brought back by :math:`v = \log_{21}(1 + 20 u)`. The authors warp
    magnitudes and take the logarithm of what comes out (`on_magnitudes`); by default the logarithm
    is warped.

    For noise invariant training (CLIPSep-NIT) the network has noise heads. By default they are
    learned queries of its own, which the head reads like any other: their masks depend on the
    mixture alone. In the authors' code (`noise_of_queries`) each is a linear layer on the mean of
    what the head makes of the mixture's queries.

    Args:
        out_dim: number of feature maps that the head weights.
        pooled_dim: size E of the pooled query.
        num_downs: number of levels, 2 or more.
        ngf: channels of the outermost level; the deeper ones have 2, 4, 8, 8, ... times as many.
        log_freq_bins: rows of the logarithmic scale; None for no warping.
        num_noise: M, number of noise heads.
        on_magnitudes: take magnitudes, and their logarithm after warping.
        noise_of_queries: make the masks of noise heads of the queries' features.

    Shape:
        - log_mag: (B, 1, F, T), any F and T; magnitudes with `on_magnitudes`
        - query: `QueryEmbedding` of pooled (B, Q, E); tokens and mask are not looked at
        - returns: masks (B, Q, F, T) between 0 and 1

    Raises:
        ValueError: on a value that no such network has, and on inputs of another shape.

    References:
        - Zhao et al., "The sound of pixels", ECCV 2018.
        - Dong et al., "CLIPSep: learning text-queried sound separation with noisy unlabeled
          videos", ICLR 2023.

    Examples:
        >>> from types import SimpleNamespace
        >>> query = SimpleNamespace(pooled=torch.randn(2, 3, 10))
        >>> masker = SoundUNet(pooled_dim=10, num_downs=5, ngf=2, log_freq_bins=32, num_noise=2)
        >>> masker(torch.rand(2, 1, 65, 48), query).shape
        torch.Size([2, 3, 65, 48])
        >>> masker.forward_with_noise(torch.rand(2, 1, 65, 48), query).noise.shape
        torch.Size([2, 2, 65, 48])
    """

    def __init__(
        self,
        out_dim: int = 32,
        pooled_dim: int = 512,
        num_downs: int = 7,
        ngf: int = 64,
        log_freq_bins: int | None = 256,
        num_noise: int = 0,
        on_magnitudes: bool = False,
        noise_of_queries: bool = False,
    ) -> None:
        super().__init__()
        self._config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        check_at_least(self._config, 0, "num_noise")
        check_at_least(self._config, 1, "out_dim", "pooled_dim", "ngf")
        check_at_least(self._config, 2, "num_downs", most=MOST_LAYERS)
        if log_freq_bins is not None:
            check_at_least(self._config, 2, "log_freq_bins")
        self.log_freq_bins, self.on_magnitudes = log_freq_bins, on_magnitudes
        widths = [1, *(ngf * min(2**level, _MAX_WIDTH) for level in range(num_downs))]
        self.input_norm = nn.BatchNorm2d(1)
        self.levels = nn.ModuleList(
            Level(
                widths[index],
                widths[index + 1],
                out_channels=out_dim if index == 0 else None,
                innermost=index == num_downs - 1,
            )
            for index in range(num_downs)
        )
        self.head = QueryProduct(pooled_dim, out_dim)
        self.noise_nets = nn.ModuleList()
        if num_noise and noise_of_queries:
            self.noise_nets.extend(nn.Linear(out_dim, out_dim) for _ in range(num_noise))
        elif num_noise:
            # Of length 1 like the queries, for which the head's start is meant.
            noise_queries = F.normalize(torch.randn(num_noise, pooled_dim), dim=-1)
            self.noise_queries = nn.Parameter(noise_queries)

    def forward(self, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns the masks of all queries; see the class for shapes."""
        check_input(log_mag, query, self._config["pooled_dim"])
        return self._mask(log_mag, self.head.weights(query.pooled))

    def forward_with_noise(self, log_mag: Tensor, query: QueryEmbedding) -> MasksWithNoise:
        """Returns the masks of all queries, and those of the noise heads.

        Raises:
            ValueError: as `forward`, and where there is no noise head.
        """
        check_input(log_mag, query, self._config["pooled_dim"])
        num_noise = self._config["num_noise"]
        if not num_noise:
            raise ValueError(
                "Expected a network with noise heads, received one without: build it with "
                "num_noise of 1 or more, as many as an example has queries."
            )
        features = self.head.weights(query.pooled)  # (B, Q, C)
        if self.noise_nets:
            mean = features.mean(dim=1)
            noise = torch.stack([net(mean) for net in self.noise_nets], dim=1)  # (B, M, C)
        else:
            noise = self.head.weights(self.noise_queries).expand(len(log_mag), -1, -1)
        masks = self._mask(log_mag, torch.cat([features, noise], dim=1))  # (B, Q + M, F, T)
        return MasksWithNoise(masks[:, :-num_noise], masks[:, -num_noise:])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that build this network again."""
        return dict(self._config)

    def _mask(self, log_mag: Tensor, features: Tensor) -> Tensor:
        """Runs the U-Net once, and the head for all features: (B, Q, C) to (B, Q, F, T)."""
        warped = log_mag
        if self.log_freq_bins is not None:
            warped = to_log_frequency(log_mag, self.log_freq_bins)  # (B, 1, H, T)
        if self.on_magnitudes:
            warped = (warped + _FAINTEST).log()
        logits = self.head.weigh(
            cast(Level, self.levels[0]).up_conv, self._decode(warped), features.flatten(0, 1)
        )
        masks = torch.sigmoid(logits)[..., : warped.shape[-2], : warped.shape[-1]]
        masks = masks.unflatten(0, features.shape[:2])  # (B, Q, H, T)
        if self.log_freq_bins is None:
            return masks
        return to_linear_frequency(masks, log_mag.shape[-2])  # (B, Q, F, T)

    def _decode(self, log_mag: Tensor) -> Tensor:
        """Runs all but the last convolution: (B, 1, H, T) to (B, C, H, T), both padded."""
        x = self.input_norm(pad_to_multiple(log_mag, 2 ** len(self.levels)))
        levels, skips = cast("list[Level]", list(self.levels)), []
        for level in levels:
            x = level.down(x)
            skips.append(x)
        x = skips.pop()
        for level in reversed(levels[1:]):
            x = torch.cat([skips.pop(), level.up(x)], dim=1)
        return _relu_and_double(x)


class Level(nn.Module):
    """One level of the U-Net, down and up; the outermost alone has `out_channels`."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        out_channels: int | None = None,
        innermost: bool = False,
    ) -> None:
        super().__init__()
        joined = channels if innermost else 2 * channels
        outermost = out_channels is not None
        self.down_conv = HalvingConv(in_channels, channels)
        self.down_norm = nn.Identity() if outermost or innermost else nn.BatchNorm2d(channels)
        self.up_conv = nn.Conv2d(joined, out_channels or in_channels, 3, padding=1, bias=outermost)
        self.up_norm = None if outermost else nn.BatchNorm2d(in_channels)

    def down(self, x: Tensor) -> Tensor:
        """Halves the size: (B, C_in, 2·H, 2·T) to (B, C, H, T)."""
        # Skips carry it too: of what it changes, the ReLU on the way up leaves nothing.
        return F.leaky_relu(self.down_norm(self.down_conv(x)), 0.2)

    def up(self, x: Tensor) -> Tensor:
        """Doubles the size of (B, 2·C, H, T), skip and what is below; the head does the last."""
        x = self.up_conv(_relu_and_double(x))
        return x if self.up_norm is None else self.up_norm(x)


def to_log_frequency(x: Tensor, num_rows: int) -> Tensor:
    """Reads a spectrogram (..., F, T) at :math:`u = (21^v - 1) / 20` of its height, v in [0, 1]."""
    height = torch.linspace(0, 1, num_rows, device=x.device)
    return _read_rows(x, ((1 + _WARP) ** height - 1) / _WARP)


def to_linear_frequency(x: Tensor, num_rows: int) -> Tensor:
    r"""Reads a warped spectrogram at :math:`v = \log_{21}(1 + 20 u)`, u in [0, 1]."""
    frequency = torch.linspace(0, 1, num_rows, device=x.device)
    return _read_rows(x, torch.log1p(_WARP * frequency) / math.log1p(_WARP))


def _read_rows(x: Tensor, heights: Tensor) -> Tensor:
    """Interpolates rows linearly at relative heights: (..., H, T) to (..., len(heights), T)."""
    rows = torch.arange(x.shape[-2], device=x.device)
    places = heights.clamp(0, 1) * (len(rows) - 1)
    weights = (1 - (places[:, None] - rows).abs()).clamp(min=0)  # two to a line, with sum 1
    return weights.to(x.dtype) @ x


def _relu_and_double(x: Tensor) -> Tensor:
    return F.interpolate(F.relu(x), scale_factor=2, mode="bilinear", align_corners=True)
