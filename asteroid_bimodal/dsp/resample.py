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
        wav = _resample_by_fft(wav, int(from_rate), int(to_rate))
    elif from_rate != to_rate:
        wav = _resampler(int(from_rate), int(to_rate), wav.device, wav.dtype)(wav)
    return wav if wav.shape[-1] == length else F.pad(wav, (0, length - wav.shape[-1]))


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # a cached filter must serve training, too
def _resampler(from_rate: int, to_rate: int, device: torch.device, dtype: torch.dtype) -> Resample:
    resampler = Resample(from_rate, to_rate, lowpass_filter_width=_FILTER_WIDTH, rolloff=0.97)
    return resampler.to(device, dtype)


def _resample_by_fft(wav: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Cuts or extends the spectrum; for odd rates, whose filters would not fit into memory."""
    step = from_rate // math.gcd(from_rate, to_rate)
    padded = F.pad(wav, (0, -wav.shape[-1] % step))
    length = padded.shape[-1] // step * (to_rate * step // from_rate)
    # irfft takes as many frequencies as `length` needs, and zeros for those that are not there.
    return torch.fft.irfft(torch.fft.rfft(padded), n=length) * (to_rate / from_rate)
