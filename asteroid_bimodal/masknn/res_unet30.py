"""AudioSep's residual U-Net: the query shifts the maps of every block.

Letters in shapes: G mixtures before and N queries of all mixtures after the query has come in, Q
queries of a mixture, C channels, E size of a query, F frequencies, T frames. Maps are (G, C, T, F):
the authors' kernels have time first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import repeat_for_queries
from .checks import check_at_least, check_input

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding

_MAX_WIDTH = 12  # channels, in multiples of ngf
_LEAST = 1e-5  # magnitude
_SLOPE = 0.01  # of LeakyReLU
_FEW = 1e-10  # length of a rotation below which it is none


class ResUNet30(nn.Module):
    r"""Residual U-Net over a magnitude spectrogram, conditioned in every block by a shift.

    Each frequency is normalised, and a convolution 1×1 follows. On the way down each level runs a
    residual block and halves the size (mean of 2×2; the last level halves frequencies alone); a
    block more in the middle; on the way up each level doubles the size (transposed convolution) and
    runs a residual block on its skip and what comes from below. A convolution 1×1 gives three maps
    :math:`a, b, c`. The mask of magnitudes is :math:`\sigma(a)`; the complex one also turns phases:

    .. math:: \sigma(a) \, \frac{\tanh b + i \tanh c}{|\tanh b + i \tanh c|}

    The highest frequency is not looked at and always masked, as in the authors' network.

    A new network turns no phase: losses on magnitudes leave it so.

    Args:
        num_freqs: F, n_fft / 2 + 1.
        pooled_dim: size E of the pooled query.
        num_downs: number of levels.
        ngf: channels of the outermost level; the deeper ones have 2, 4, 8, 12, 12, ... times as
            many.

    Shape:
        - mag: magnitudes (B, 1, F, T), any T
        - query: `QueryEmbedding` of pooled (B, Q, E); tokens and mask are not looked at
        - returns: masks (B, Q, F, T) between 0 and 1

    Raises:
        ValueError: on a value that no such network has, and on inputs of another shape.

    References:
        Liu et al., "Separate anything you describe", IEEE/ACM TASLP 2024. Kong et al., "Decoupling
        magnitude and phase estimation with deep ResUNet for music source separation", ISMIR 2021.

    Examples:
        >>> from types import SimpleNamespace
        >>> query = SimpleNamespace(pooled=torch.randn(2, 3, 10))
        >>> masker = ResUNet30(num_freqs=65, pooled_dim=10, num_downs=5, ngf=2)
        >>> masker(torch.rand(2, 1, 65, 48), query).shape
        torch.Size([2, 3, 65, 48])
        >>> masker.forward_complex(torch.rand(2, 1, 65, 48), query).dtype
        torch.complex64
    """

    on_magnitudes = True

    def __init__(
        self, num_freqs: int = 1025, pooled_dim: int = 512, num_downs: int = 6, ngf: int = 32
    ) -> None:
        super().__init__()
        self._config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        check_at_least(self._config, 1, "pooled_dim", "num_downs", "ngf")
        check_at_least(self._config, 2, "num_freqs")
        widths = [ngf, *(ngf * min(2**level, _MAX_WIDTH) for level in range(num_downs))]
        self.strides = [(2, 2)] * (num_downs - 1) + [(1, 2)]  # in time and frequency
        self.input_norm = nn.BatchNorm1d(num_freqs)
        self.stem = nn.Conv2d(1, ngf, 1)
        self.encoders = nn.ModuleList(
            ShiftedBlock(widths[level], widths[level + 1], pooled_dim) for level in range(num_downs)
        )
        self.middle = ShiftedBlock(widths[-1], widths[-1], pooled_dim)
        self.decoders = nn.ModuleList(
            Decoder(widths[min(level + 1, num_downs)], widths[level], stride, pooled_dim)
            for level, stride in zip(range(num_downs, 0, -1), self.strides[::-1], strict=True)
        )
        self.head = nn.Conv2d(ngf, 3, 1)
        with torch.no_grad():
            self.head.weight[1:] = 0
            self.head.bias[1:] = torch.tensor([1.0, 0.0])  # type: ignore[index]
        self.to(memory_format=torch.channels_last)  # on a CPU a fourth faster

    def forward(self, mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns masks of magnitudes; see the class for shapes."""
        logits = self._logits(mag, query)[:, 0]  # (N, T, F')
        return self._as_masks(torch.sigmoid(logits), mag, query)

    def forward_complex(self, mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns masks that also turn phases, complex (B, Q, F, T)."""
        gain, real, imag = self._logits(mag, query).float().unbind(1)  # (N, T, F') each
        gain, real, imag = torch.sigmoid(gain), torch.tanh(real), torch.tanh(imag)
        gain = gain / torch.hypot(real, imag).clamp_min(_FEW)
        return self._as_masks(torch.complex(gain * real, gain * imag), mag, query)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that build this network again."""
        return dict(self._config)

    def _logits(self, mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Runs the network: three maps (N, 3, T, F'), both padded."""
        check_input(mag, query, self._config["pooled_dim"])
        if mag.shape[-2] != self._config["num_freqs"]:
            raise ValueError(
                f"Expected {self._config['num_freqs']} frequencies, received {mag.shape[-2]}: the "
                "network is built for one n_fft."
            )
        cond = query.pooled.flatten(0, 1)  # (N, E)
        normed = self.input_norm(mag.squeeze(1).clamp_min(_LEAST)).transpose(1, 2)  # (G, T, F)
        x = self.stem(self._pad(normed[..., :-1]).unsqueeze(1))
        skips = []
        for encoder, stride in zip(self.encoders, self.strides, strict=True):
            x = encoder(x, cond)
            skips.append(x)
            x = F.avg_pool2d(x, stride)
        x = self.middle(x, cond)
        for decoder in self.decoders:
            x = decoder(x, skips.pop(), cond)
        return self.head(x)

    def _pad(self, x: Tensor) -> Tensor:
        """Appends zeros to (G, T, F) until every level can be halved."""
        depth = len(self.strides)
        return F.pad(x, (0, -x.shape[-1] % 2**depth, 0, -x.shape[-2] % 2 ** (depth - 1)))

    def _as_masks(self, masks: Tensor, mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Brings (N, T, F') to (B, Q, F, T), with 0 for the highest frequency."""
        num_freqs, num_frames = mag.shape[-2:]
        masks = masks[:, :num_frames, : num_freqs - 1].transpose(1, 2)
        return F.pad(masks, (0, 0, 0, 1)).unflatten(0, query.pooled.shape[:2])


class ShiftedBlock(nn.Module):
    """Two rounds of BatchNorm, shift by the query, LeakyReLU and convolution 3×3, plus the input.

    x (G, C_in, T, F) and cond (N, E) become (N, C, T, F), N a multiple of G. Where the number of
    channels changes, the input takes a convolution 1×1.
    """

    def __init__(self, in_channels: int, channels: int, pooled_dim: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.shift1 = nn.Linear(pooled_dim, in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shift2 = nn.Linear(pooled_dim, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else None

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        residual = x if self.shortcut is None else self.shortcut(x)
        x = _activate(self.norm1, x, self.shift1(cond), last_use=self.shortcut is not None)
        if self.training or len(cond) > 1:
            x = _activate(self.norm2, self.conv1(x), self.shift2(cond))
        else:  # norm and shift of one query are part of the convolution: a seventh less time
            scale, bias = _as_affine(self.norm2, self.shift2(cond))
            weight = self.conv1.weight * scale[:, None, None, None]
            x = F.leaky_relu_(F.conv2d(x, weight, bias[0], padding=1), _SLOPE)
        x = self.conv2(x)
        return x.add_(repeat_for_queries(residual, len(cond)))


class Decoder(nn.Module):
    """Doubles the size of (N, C_in, T, F), by `stride`, and joins what comes with the skip."""

    def __init__(
        self, in_channels: int, channels: int, stride: tuple[int, int], pooled_dim: int
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.shift = nn.Linear(pooled_dim, in_channels)
        self.up_conv = nn.ConvTranspose2d(in_channels, channels, stride, stride, bias=False)
        self.block = ShiftedBlock(2 * channels, channels, pooled_dim)

    def forward(self, x: Tensor, skip: Tensor, cond: Tensor) -> Tensor:
        x = _activate(self.norm, x, self.shift(cond), last_use=True)
        return self.block(torch.cat([self.up_conv(x), skip], dim=1), cond)


def _activate(norm: nn.BatchNorm2d, x: Tensor, shift: Tensor, *, last_use: bool = False) -> Tensor:
    """Normalises the maps (G, C, T, F), shifts them by (N, C), applies LeakyReLU: (N, C, T, F).

    After their last use, and without gradients, they are overwritten.
    """
    if norm.training or x.dtype != torch.float32:
        x = repeat_for_queries(norm(x), len(shift)).add_(shift[:, :, None, None])
    else:  # in one step
        scale, bias = _as_affine(norm, shift)
        x = repeat_for_queries(x, len(shift))
        out = x if last_use and not torch.is_grad_enabled() else None
        x = torch.addcmul(bias[:, :, None, None], x, scale[:, None, None], out=out)
    return F.leaky_relu_(x, _SLOPE)


def _as_affine(norm: nn.BatchNorm2d, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Returns what norm and shift (N, C) multiply with, (C,), and add, (N, C), in eval mode."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, shift + (norm.bias - mean * scale)
