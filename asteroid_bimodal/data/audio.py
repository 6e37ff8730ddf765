"""Reading audio: only the samples that are needed, at the rate that is needed."""

from __future__ import annotations

from pathlib import Path

import soundfile
import torch
from torch import Tensor

from ..dsp.resample import resample


class UnreadableAudioError(ValueError):
    """A file that cannot be used; the message says which and why."""


def audio_seconds(path: str | Path) -> float:
    """Tells the length of a file from its header.

    Args:
        path: an audio file.

    Raises:
        UnreadableAudioError: when the file is missing or is not audio.
    """
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise UnreadableAudioError(f"Cannot read {path}: {error}") from error
    return info.frames / info.samplerate


def read_crop(path: str | Path, start: float, num_samples: int, sample_rate: int) -> Tensor:
    """Reads a mono excerpt of exactly `num_samples` at `sample_rate`.

    Only the excerpt is read from disk. Channels are averaged, another rate is resampled, and an
    excerpt that passes the end of the file is padded with zeros.

    Args:
        path: wav, flac, ogg or mp3.
        start: where the excerpt starts, in seconds.
        num_samples: its length.
        sample_rate: its rate in hertz.

    Returns:
        (num_samples,) float32.

    Raises:
        UnreadableAudioError: when the file is missing, is not audio, is empty or holds NaN.
    """
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            file.seek(min(max(round(start * rate), 0), file.frames))
            frames = -(-num_samples * rate // sample_rate)
            audio = file.read(frames, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UnreadableAudioError(f"Cannot read {path}: {error}") from error
    if not len(audio):
        raise UnreadableAudioError(f"{path} has no audio from {start:.2f} s on.")
    wav = torch.from_numpy(audio).mean(dim=1)
    if not torch.isfinite(wav).all():
        raise UnreadableAudioError(f"{path} holds NaN or infinite samples.")
    wav = resample(wav, rate, sample_rate)
    return torch.nn.functional.pad(wav[:num_samples], (0, max(0, num_samples - len(wav))))
