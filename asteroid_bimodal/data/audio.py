"""Training crops: only the samples that are needed, at the rate that is needed."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from ..dsp.resample import resample
from ..utils.audio_file import Source, UnreadableAudioError, audio_seconds, read_segment, to_mono

__all__ = ["UnreadableAudioError", "audio_seconds", "read_crop"]


def read_crop(
    source: Source, start: float, num_samples: int, sample_rate: int, name: str | None = None
) -> Tensor:
    """Reads a mono excerpt of exactly `num_samples` at `sample_rate`, (num_samples,) float32.

    Only the excerpt is decoded. Channels are averaged (`to_mono`), another rate is resampled, and
    an excerpt that passes the end of the file is padded with zeros.

    Args:
        source: an audio file, or the content of one.
        start: where the excerpt starts, in seconds.
        num_samples: its length.
        sample_rate: its rate in hertz.
        name: what messages call it, by default the path.

    Raises:
        UnreadableAudioError: when the file is missing, is not audio, is empty, is damaged in this
            place or holds NaN.
    """
    wav, rate = read_segment(source, start, Fraction(num_samples, sample_rate), name)
    mono = to_mono(wav)
    if not torch.isfinite(mono.sum()):
        raise UnreadableAudioError(f"{name or source} holds NaN or infinite samples.")
    mono = resample(mono, rate, sample_rate)
    return torch.nn.functional.pad(mono[:num_samples], (0, max(0, num_samples - len(mono))))
