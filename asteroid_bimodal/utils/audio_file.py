"""Audio files as streams, as excerpts and whole: one reader for all formats.

A file that is damaged or cut off gives what there is, with a warning that tells the second.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import torch
from soundfile import LibsndfileError, SoundFile
from torch import Tensor

from .audio_decoders import (
    UNKNOWN_LENGTH,
    FFmpegReader,
    SequentialFile,
    SndfileReader,
    Source,
    UnreadableAudioError,
    binary,
    open_by_ffmpeg,
)
from .audio_headers import mended, mp3_seconds, mp3_start, ogg_length
from .files import raw_path

# Hertz. No converter offers more than the highest; the filters that resample grow with it, and for
# the megahertz of a damaged header they would take gigabytes.
LOWEST_RATE, HIGHEST_RATE = 1000, 768_000
_MP3 = (".mp1", ".mp2", ".mp3")  # where libsndfile goes by names


@dataclass(frozen=True)
class AudioStream:
    """An open audio file."""

    sample_rate: int
    channels: int
    frames: int  # samples of a channel, an estimate unless `exact`
    exact: bool  # whether the file states its length in samples
    blocks: Iterator[Tensor]  # (C, T) at a time


@contextmanager
def open_audio(source: Source, *, strict: bool = False) -> Iterator[AudioStream]:
    """Opens an audio file, of a video the first audio track; memory does not grow with its length.

    Where it is damaged or cut off, `strict` raises an error in place of the warning.
    """
    with _open(source, whole=True) as file:

        def report(damage: str) -> None:
            if strict:
                raise UnreadableAudioError(f"{file.name} {damage}.")
            warnings.warn(f"{file.name} {damage}. What can be read is used.", stacklevel=2)

        blocks = _not_none(file.blocks(report), file.name)
        yield AudioStream(file.sample_rate, file.channels, file.frames, file.exact, blocks)


def read_audio(source: Source) -> tuple[Tensor, int]:
    """Reads a whole audio file: samples (C, T) and their rate in hertz."""
    with open_audio(source) as audio:
        return torch.cat(list(audio.blocks), dim=-1), audio.sample_rate


def read_segment(
    source: Source, start: float | None, seconds: float | Fraction, name: str | None = None
) -> tuple[Tensor, int]:
    """Reads a part from `start` in seconds, by default from the middle; nothing else is decoded.

    Gives samples (C, T), at least one, and their rate; fewer where the file ends before.
    """
    with _open(source, name) as file:
        length = math.ceil(seconds * file.sample_rate)
        if start is None:
            first = max(0, (file.frames - length) // 2)
        else:
            first = max(0, round(start * file.sample_rate))
        wav = file.read(first, length)
        if not wav.shape[-1]:
            begin = first / file.sample_rate if start is None else start
            raise UnreadableAudioError(f"{file.name} has no audio from {begin:.2f} s on.")
        return wav, file.sample_rate


def audio_seconds(source: Source, name: str | None = None) -> float:
    """Tells the length of an audio file without decoding it.

    Args:
        source: the file, as a path or open.
        name: of the file in messages.

    Raises:
        UnreadableAudioError: for a file that is missing or not audio.
    """
    with _open(source, name) as file:
        return file.frames / file.sample_rate


def to_mono(wav: Tensor) -> Tensor:
    """Averages channels (C, T); where they cancel each other, the loudest one stands for all."""
    channels = len(wav)
    # A product is several times faster here than a mean.
    mono = wav.T.mv(wav.new_full((channels,), 1 / channels))
    if channels > 1 and cancels(mono.square().sum(), energies := wav.square().sum(-1)):
        return wav[energies.argmax()]
    return mono


def cancels(mean_energy: Tensor, energies: Tensor) -> Tensor:
    """Whether means (...) are 20 dB weaker than of unrelated channels of energies (..., C)."""
    return mean_energy < 0.01 * energies.sum(-1) / energies.shape[-1] ** 2


@contextmanager
def _open(
    source: Source, name: str | None = None, *, whole: bool = False
) -> Iterator[SndfileReader | FFmpegReader]:
    """Opens a file with the library that is to read it, or the whole of it; refuses odd rates."""
    with _open_any(source, name or str(source), whole) as file:
        if not LOWEST_RATE <= file.sample_rate <= HIGHEST_RATE:
            raise UnreadableAudioError(
                f"Cannot read {file.name}: its header tells a sample rate of {file.sample_rate} "
                f"Hz, which is not between {LOWEST_RATE} and {HIGHEST_RATE}."
            )
        yield file


@contextmanager
def _open_any(source: Source, name: str, whole: bool) -> Iterator[SndfileReader | FFmpegReader]:
    # What is no regular file, such as a pipe, is not opened: nobody may write to it, ever.
    is_path = isinstance(source, str | PathLike)
    if is_path and not (path := Path(source)).is_file():
        raise UnreadableAudioError(f"{name} {'is no file' if path.exists() else 'does not exist'}.")
    if is_path and not path.stat().st_size:
        raise UnreadableAudioError(f"Cannot read {name}: the file is empty.")
    reason = ""
    with binary(source) as raw:
        start = mp3_start(raw)
        # libmpg123, inside libsndfile, tells of damage on standard error, in its own words.
        if start is None and not (is_path and path.suffix.lower() in _MP3):
            mended_file = mended(raw)
            raw.seek(0)
            try:
                file = mended_file or (raw_path(source) if is_path else source)
                sound = SequentialFile(file) if whole else SoundFile(file)
            except (LibsndfileError, OSError, TypeError) as error:
                reason = getattr(error, "error_string", str(error))
            else:
                with sound:
                    if _is_for_libsndfile(sound, raw, whole):
                        yield SndfileReader(source, name, sound)
                        return
        claimed = None if start is None else mp3_seconds(raw, start)
    with open_by_ffmpeg(source, name, claimed, reason) as reader:
        yield reader


def _is_for_libsndfile(sound: SoundFile, file: BinaryIO, whole: bool) -> bool:
    if sound.format == "MP3" or sound.subtype.startswith("MPEG"):
        return False
    if sound.format == "OGG":
        place = file.tell()
        streams = ogg_length(file).streams
        file.seek(place)
        return streams == 1
    return sound.frames < UNKNOWN_LENGTH and not (whole and sound.format == "FLAC")


def _not_none(blocks: Iterator[Tensor], name: str) -> Iterator[Tensor]:
    first = next(blocks, None)
    if first is None:
        raise UnreadableAudioError(f"{name} has no audio.")
    yield first
    yield from blocks
