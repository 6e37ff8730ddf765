"""Augmentation of training crops: other speeds and random equalisers, drawn anew for each crop."""

from __future__ import annotations

import torch
from torch import Tensor

LOWEST = 62.5  # hertz, centre of the equaliser's lowest octave


def draw_speed(greatest: float, generator: torch.Generator) -> float:
    """Draws a speed between 1 / `greatest` and `greatest`, its logarithm uniformly."""
    if greatest == 1:
        return 1.0
    return greatest ** (2 * float(torch.rand(1, generator=generator)) - 1)


def equalise(wav: Tensor, sample_rate: int, spread: float, generator: torch.Generator) -> Tensor:
    """Filters samples by a random gain in each octave, and brings them back to their loudness.

    The gains in dB are normal with the standard deviation `spread` at 62.5 Hz and each octave above
    it up to half the sample rate, and between them linear over the logarithm of the frequency. A
    constant offset is taken away.

    Args:
        wav: (T,), samples.
        sample_rate: in hertz.
        spread: in dB; 0 changes and draws nothing.
        generator: of the gains.

    Returns:
        (T,), `wav` itself for a spread of 0.

    Examples:
        >>> wav = torch.randn(16000)
        >>> varied = equalise(wav, 16000, 6.0, torch.Generator().manual_seed(0))
        >>> torch.allclose(varied.std(), wav.std(), rtol=1e-3)
        True
    """
    if not spread:
        return wav
    spectrum = torch.fft.rfft(wav - wav.mean())
    frequencies = torch.linspace(0, sample_rate / 2, len(spectrum))
    octaves = (frequencies / LOWEST).clamp(min=1).log2()
    below = octaves.floor().long()
    gains = spread * torch.randn(int(below[-1]) + 2, generator=generator)
    decibels = torch.lerp(gains[below], gains[below + 1], octaves - below)
    filtered = torch.fft.irfft(spectrum * 10 ** (decibels / 20), n=len(wav))
    loudness = filtered.std(correction=0).clamp(min=torch.finfo(wav.dtype).tiny)
    return filtered * (wav.std(correction=0) / loudness)
