"""Resampling, differentiable, to an exact length."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torchaudio.transforms import Resample

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
    if from_rate != to_rate:
        wav = _resampler(int(from_rate), int(to_rate), wav.device, wav.dtype)(wav)
    return wav if wav.shape[-1] == length else F.pad(wav, (0, length - wav.shape[-1]))


@lru_cache(maxsize=16)
def _resampler(from_rate: int, to_rate: int, device: torch.device, dtype: torch.dtype) -> Resample:
    resampler = Resample(from_rate, to_rate, lowpass_filter_width=_FILTER_WIDTH, rolloff=0.97)
    return resampler.to(device, dtype)
