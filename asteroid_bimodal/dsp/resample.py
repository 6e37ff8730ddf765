"""Resampling to an exact length: differentiable, on any device; and of recordings, faster."""

from __future__ import annotations

import math
from functools import lru_cache

import soxr
import torch
import torch.nn.functional as F
from torch import Tensor
from torchaudio.transforms import Resample

from ..utils.audio_file import HIGHEST_RATE

_MOST_WEIGHTS = 2**22  # of a convolution; 44.1 kHz to 8 kHz takes 80 filters of 441 samples
_MOST_TAPS = 2**20  # computed at a time
_FILTER_WIDTH = 32  # zero crossings: aliases stay 59 dB below the signal up to 93 % of Nyquist
_ROLLOFF = 0.97  # where the filter cuts, as a part of the lower Nyquist frequency


def resample(wav: Tensor, from_rate: float, to_rate: float, length: int | None = None) -> Tensor:
    """Changes the sample rate, in full precision; the filter of a pair of rates is computed once.

    Args:
        wav: samples, time last.
        from_rate: rate of `wav` in hertz, a whole number.
        to_rate: rate wanted, a whole number.
        length: samples wanted; by default as long as `wav` lasts, rounded up.

    Shape:
        - wav: (..., T)
        - returns: (..., length), `wav` itself when nothing changes

    Raises:
        ValueError: for a rate that is not a positive whole number, or above `HIGHEST_RATE`.

    Examples:
        >>> resample(torch.zeros(2, 44100), 44100, 8000).shape
        torch.Size([2, 8000])
        >>> resample(torch.zeros(2, 8000), 8000, 44100, length=44099).shape
        torch.Size([2, 44099])
    """
    from_rate, to_rate = _checked(from_rate, to_rate)
    if length is None:
        length = -(-wav.shape[-1] * to_rate // from_rate)
    common = math.gcd(from_rate, to_rate)
    if (from_rate // common) * (to_rate // common) > _MOST_WEIGHTS:
        wav = _resample_by_taps(wav, from_rate, to_rate)
    elif from_rate != to_rate:
        with torch.autocast(wav.device.type, enabled=False):  # it would round samples
            wav = _resampler(from_rate, to_rate, wav.device, wav.dtype)(wav)
    return _fit(wav, length)


def resample_recording(wav: Tensor, from_rate: float, to_rate: float) -> Tensor:
    """Changes the sample rate of a recording by libsoxr, without gradient: for reading audio.

    It takes a half to a twentieth of the time of `resample`, and does not slow down for rates with
    hardly a common divisor. Up to 80 % of the lower Nyquist frequency both give the same within
    -79 dB, up to 90 % within -68 dB; above 95 % `resample` rolls off earlier
    (`python benchmarks/resampling.py`).

    Args:
        wav: (T,), samples on the CPU.
        from_rate: rate of `wav` in hertz, a whole number.
        to_rate: rate wanted, a whole number.

    Returns:
        As long as `wav` lasts, rounded up; `wav` itself when nothing changes.

    Raises:
        ValueError: as `resample`.

    Examples:
        >>> resample_recording(torch.zeros(44101), 44101, 8000).shape
        torch.Size([8000])
    """
    from_rate, to_rate = _checked(from_rate, to_rate)
    if from_rate == to_rate:
        return wav
    length = -(-wav.shape[-1] * to_rate // from_rate)
    return _fit(torch.from_numpy(soxr.resample(wav.numpy(), from_rate, to_rate)), length)


def _fit(wav: Tensor, length: int) -> Tensor:
    return wav if wav.shape[-1] == length else F.pad(wav, (0, length - wav.shape[-1]))


def _checked(from_rate: float, to_rate: float) -> tuple[int, int]:
    for rate in (from_rate, to_rate):
        if not (rate > 0 and float(rate).is_integer()):
            raise ValueError(f"Expected a sample rate of a whole number of hertz, received {rate}.")
        if rate > HIGHEST_RATE:
            raise ValueError(
                f"Expected a sample rate of at most {HIGHEST_RATE} hertz, received {rate}. Check "
                "the file that it comes from."
            )
    return int(from_rate), int(to_rate)


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
    common = math.gcd(from_rate, to_rate)
    step, phases = from_rate // common, to_rate // common  # after which phases repeat; of filters
    cutoff = _ROLLOFF * min(1.0, to_rate / from_rate)  # of the Nyquist frequency of `from_rate`
    half = math.ceil(_FILTER_WIDTH / cutoff)
    rounds, size = -(-wav.shape[-1] // step), 2 * half + 1
    padded = F.pad(wav, (half, half + rounds * step - wav.shape[-1]))
    around = padded.unfold(-1, size, 1)  # (..., rounds * step, taps), a view
    some = max(1, _MOST_TAPS // size)
    pieces = []
    for start in range(0, rounds * step, step):
        for first in range(0, phases, some):
            last = min(first + some, phases)
            filters, offsets = _taps(first, last, from_rate, to_rate, wav.device, wav.dtype)
            pieces.append((around[..., start + offsets, :] * filters).sum(-1))
    return torch.cat(pieces, dim=-1)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _taps(
    first: int, last: int, from_rate: int, to_rate: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The filter of some phases, (phases, taps), and the sample it is centred on, (phases,).

    A sinc under a squared cosine, as in `torchaudio.transforms.Resample`.
    """
    place = torch.arange(first, last) * from_rate
    offsets, fractions = place // to_rate, (place % to_rate).double() / to_rate
    cutoff = _ROLLOFF * min(1.0, to_rate / from_rate)
    half = math.ceil(_FILTER_WIDTH / cutoff)
    distance = cutoff * (torch.arange(-half, half + 1) - fractions.unsqueeze(1))
    distance = distance.clamp(-_FILTER_WIDTH, _FILTER_WIDTH)
    window = torch.cos(distance * (math.pi / 2 / _FILTER_WIDTH)).square()
    return (cutoff * torch.sinc(distance) * window).to(device, dtype), offsets.to(device)
