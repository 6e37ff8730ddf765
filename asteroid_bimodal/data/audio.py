"""Reading audio: only the samples that are needed, at the rate that is needed."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import soundfile
import torch
from torch import Tensor

from ..dsp.resample import resample


class UnreadableAudioError(ValueError):
    """A file that cannot be used; the message says which and why."""


# What libsndfile reads that data sets come in.
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff")


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
        raise UnreadableAudioError(f"Cannot read {path}: {_reason(error, path)}") from error
    return info.frames / info.samplerate


def read_crop(
    path: str | Path | BinaryIO,
    start: float,
    num_samples: int,
    sample_rate: int,
    name: str | None = None,
) -> Tensor:
    """Reads a mono excerpt of exactly `num_samples` at `sample_rate`.

    Only the excerpt is decoded. Channels are averaged, another rate is resampled, and an
    excerpt that passes the end of the file is padded with zeros.

    Args:
        path: wav, flac, ogg or mp3: a file, or the content of one.
        start: where the excerpt starts, in seconds.
        num_samples: its length.
        sample_rate: its rate in hertz.
        name: what messages call it, by default the path.

    Returns:
        (num_samples,) float32.

    Raises:
        UnreadableAudioError: when the file is missing, is not audio, is empty or holds NaN.
    """
    name = name or str(path)
    try:
        with soundfile.SoundFile(str(path) if isinstance(path, str | Path) else path) as file:
            rate = file.samplerate
            file.seek(min(max(round(start * rate), 0), file.frames))
            frames = -(-num_samples * rate // sample_rate)
            audio = file.read(frames, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UnreadableAudioError(f"Cannot read {name}: {_reason(error, path)}") from error
    if not len(audio):
        raise UnreadableAudioError(f"{name} has no audio from {start:.2f} s on.")
    # A product and a sum are several times faster here than a mean and a look at each sample.
    channels = audio.shape[1]
    wav = torch.from_numpy(audio).mv(torch.full((channels,), 1 / channels))
    if not torch.isfinite(wav.sum()):
        raise UnreadableAudioError(f"{name} holds NaN or infinite samples.")
    wav = resample(wav, rate, sample_rate)
    return torch.nn.functional.pad(wav[:num_samples], (0, max(0, num_samples - len(wav))))


def _reason(error: Exception, path: str | Path | BinaryIO) -> str:
    if isinstance(path, str | Path) and not Path(path).exists():
        return "there is no such file."
    return getattr(error, "error_string", None) or str(error)
