"""A network that hears which of the sounds that a model knows are in a mixture."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

_LOWEST = 40.0  # hertz
_FAINTEST = 1e-6  # of the mean energy: what is 60 dB below it is not looked at
_RARELY = -3.5  # logit of every label before training


class Tagger(nn.Module):
    r"""Audio tagging: a logit for each query, of its sound being in a mixture.

    Convolutions over a log-mel spectrogram without its level give features :math:`h_t`, and these
    the logit of each label :math:`l` (:math:`a_l` and :math:`c_l` are learned),

    .. math:: z_l = \sum_t \operatorname{softmax}_t(a_l \cdot h_t) \; c_l \cdot h_t,

    the mean over time of what is heard of it, weighted by where it is heard. A query has the logit
    of the label whose embedding is nearest to its own.

    Args:
        num_freqs: frequencies of the mixtures' magnitudes, from 0 to half of the rate.
        sample_rate: in hertz.
        num_labels: sounds that it is trained to hear.
        pooled_dim: size of the queries' pooled embeddings.
        channels: of the first layer; the last one has six times as many.
        num_mels: mel bands.
        dropout: share of features that training leaves out.

    Attributes:
        label_embeddings: pooled embeddings of the labels, of length 1, (L, E).

    Shape:
        - magnitudes: (B, F, T), of one frame or more
        - pooled: (B, Q, E)
        - returns: (B, Q)

    References:
        Kong et al., "PANNs: Large-scale pretrained audio neural networks for audio pattern
        recognition", IEEE/ACM Transactions on Audio, Speech and Language Processing 28, 2020.

    Examples:
        >>> tagger = Tagger(129, 8000, num_labels=5, pooled_dim=10, channels=4)
        >>> tagger(torch.rand(2, 129, 50), torch.randn(2, 3, 10)).shape
        torch.Size([2, 3])
    """

    _bands: Tensor
    label_embeddings: Tensor

    def __init__(
        self,
        num_freqs: int,
        sample_rate: float,
        num_labels: int,
        pooled_dim: int,
        channels: int = 32,
        num_mels: int = 64,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self._config = {
            "num_labels": num_labels,
            "pooled_dim": pooled_dim,
            "channels": channels,
            "num_mels": num_mels,
            "dropout": dropout,
        }
        bands = melscale_fbanks(num_freqs, _LOWEST, sample_rate / 2, num_mels, int(sample_rate))
        self.register_buffer("_bands", bands, persistent=False)  # (F, M)
        self.register_buffer("label_embeddings", torch.eye(num_labels, pooled_dim))
        sizes = [channels, 2 * channels, 4 * channels, 6 * channels]
        self.layers = nn.Sequential(
            *_conv(1, channels, size=5, stride=2),
            *_conv(channels, channels),
            nn.AvgPool2d(2, ceil_mode=True),
            *(layer for two in zip(sizes, sizes[1:], strict=False) for layer in _block(*two)),
        )
        self.features = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * sizes[-1], sizes[-1]), nn.ReLU(), nn.Dropout(dropout)
        )
        self.heard, self.where = (nn.Linear(sizes[-1], num_labels) for _ in range(2))
        nn.init.constant_(self.heard.bias, _RARELY)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments but those that say of which spectra."""
        return dict(self._config)

    def forward(self, magnitudes: Tensor, pooled: Tensor) -> Tensor:
        """Returns the logits of queries; see the class for shapes."""
        nearest = (F.normalize(pooled, dim=-1) @ self.label_embeddings.T).argmax(-1)  # (B, Q)
        return self.tag(self.mel(magnitudes)).gather(1, nearest)

    def mel(self, magnitudes: Tensor) -> Tensor:
        """Returns energies in mel bands: (B, F, T) to (B, M, T)."""
        return (magnitudes.square().transpose(-2, -1) @ self._bands).transpose(-2, -1)

    def tag(self, mel: Tensor) -> Tensor:
        """Returns the logits of all labels: (B, M, T) to (B, L)."""
        level = mel.mean((-2, -1), keepdim=True).clamp_min(torch.finfo(mel.dtype).tiny)
        decibels = 10 * (mel / level).clamp_min(_FAINTEST).log10()
        maps = self.layers((decibels / 20 + 1).unsqueeze(1))  # (B, C, M', T')
        maps = torch.cat([maps.mean(2), maps.amax(2)], dim=1).transpose(1, 2)  # (B, T', 2·C)
        features = self.features(maps)
        heard, where = self.heard(features).float(), self.where(features).float()  # (B, T', L)
        return (where.softmax(1) * heard).sum(1)


def _conv(in_channels: int, channels: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, channels, size, stride, padding=size // 2, bias=False)
    return [conv, nn.BatchNorm2d(channels), nn.ReLU()]


def _block(in_channels: int, channels: int) -> list[nn.Module]:
    pool = nn.AvgPool2d(2, ceil_mode=True)
    return [*_conv(in_channels, channels), *_conv(channels, channels), pool]
