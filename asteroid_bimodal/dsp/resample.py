"""Resampling, differentiable, to an exact length."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torchaudio.transforms import Resample

_MOST_PHASES = 2000  # filters of one pair of rates; 44.1 kHz to 8 kHz takes 80
_FILTER_WIDTH = 32  # zero crossings: aliases stay 60 dB below the signal up to 94 % of Nyquist
_ROLLOFF = 0.97  # where the filter cuts, as a part of the lower Nyquist frequency


def resample(wav: Tensor, from_rate: float, to_rate: float, length: int | None = None) -> Tensor:
    """Changes the sample rate; the filter of a pair of rates is computed once.

    Args:
        wav: samples, time last.
        from_rate: rate of `wav` in hertz, a whole number.
        to_rate: rate wanted, a whole number.
        length: samples wanted; by default as long as `wav` lasts, rounded up.

    Shape:
        - wav: (..., T)
        - returns: (..., length), `wav` itself when nothing changes

    Raises:
        ValueError: for a rate that is not a positive whole number.

    Examples:
        >>> resample(torch.zeros(2, 44100), 44100, 8000).shape
        torch.Size([2, 8000])
        >>> resample(torch.zeros(2, 8000), 8000, 44100, length=44099).shape
        torch.Size([2, 44099])
    """
    for rate in (from_rate, to_rate):
        if not (rate > 0 and float(rate).is_integer()):
            raise ValueError(f"Expected a sample rate of a whole number of hertz, received {rate}.")
    if length is None:
        length = -(-wav.shape[-1] * int(to_rate) // int(from_rate))
    phases = int(to_rate) // math.gcd(int(from_rate), int(to_rate))
    if phases > _MOST_PHASES:
        wav = _resample_by_taps(wav, int(from_rate), int(to_rate))
    elif from_rate != to_rate:
        wav = _resampler(int(from_rate), int(to_rate), wav.device, wav.dtype)(wav)
    return wav if wav.shape[-1] == length else F.pad(wav, (0, length - wav.shape[-1]))


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # a cached filter must serve training, too
def _resampler(from_rate: int, to_rate: int, device: torch.device, dtype: torch.dtype) -> Resample:
    resampler = Resample(from_rate, to_rate, lowpass_filter_width=_FILTER_WIDTH, rolloff=_ROLLOFF)
    return resampler.to(device, dtype)


def _resample_by_taps(wav: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Multiplies the samples around each instant by the filter that its phase takes.

    For rates with hardly a common divisor: as a convolution, their filters would not fit into
    memory.
    """
    filters, offsets = _taps(from_rate, to_rate, wav.device, wav.dtype)
    step = from_rate // math.gcd(from_rate, to_rate)  # samples until the phases repeat
    half = filters.shape[-1] // 2
    rounds = -(-wav.shape[-1] // step)
    padded = F.pad(wav, (half, half + rounds * step - wav.shape[-1]))
    around = padded.unfold(-1, filters.shape[-1], 1)  # (..., rounds * step, taps), a view
    pieces = [
        (around[..., start + offsets, :] * filters).sum(-1)
        for start in range(0, rounds * step, step)
    ]
    return torch.cat(pieces, dim=-1)


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _taps(
    from_rate: int, to_rate: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The filter of each phase, (phases, taps), and the sample it is centred on, (phases,).

    A sinc under a squared cosine, as in `torchaudio.transforms.Resample`.
    """
    phases = to_rate // math.gcd(from_rate, to_rate)
    place = torch.arange(phases) * from_rate
    offsets, fractions = place // to_rate, (place % to_rate).double() / to_rate
    cutoff = _ROLLOFF * min(1.0, to_rate / from_rate)  # of the Nyquist frequency of `from_rate`
    half = math.ceil(_FILTER_WIDTH / cutoff)
    distance = cutoff * (torch.arange(-half, half + 1) - fractions.unsqueeze(1))
    distance = distance.clamp(-_FILTER_WIDTH, _FILTER_WIDTH)
    window = torch.cos(distance * (math.pi / 2 / _FILTER_WIDTH)).square()
    return (cutoff * torch.sinc(distance) * window).to(device, dtype), offsets.to(device)
