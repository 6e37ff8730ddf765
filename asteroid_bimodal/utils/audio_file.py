"""Audio files as streams: by libsndfile, and by ffmpeg what libsndfile cannot read."""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
import torch
from soundfile import LibsndfileError, SoundFile
from torch import Tensor

from .ffmpeg import find_ffmpeg

_BLOCK = 2**16  # samples read at a time
_AU_HEADER = struct.Struct(">4s5I")  # magic, offset of the data, its size, encoding, rate, channels
# Formats that hold their sound themselves. Playlists name other files of this machine, which are
# not for whoever sends one to the demo.
_FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3", "flac"),
    *("flv", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "oma", "tak", "tta"),
    *("w64", "wav", "wv"),
)
_DURATION = re.compile(rb"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class AudioStream:
    """An open audio file.

    Attributes:
        sample_rate: in hertz.
        channels: C.
        frames: how many samples each channel has; of what ffmpeg reads an estimate, None where the
            file does not tell.
        exact: whether `frames` is no estimate.
        blocks: the samples, (C, T) at a time.
    """

    sample_rate: int
    channels: int
    frames: int | None
    exact: bool
    blocks: Iterator[Tensor]


@contextmanager
def open_audio(path: str | PathLike) -> Iterator[AudioStream]:
    """Opens an audio file; memory does not grow with its length.

    Args:
        path: wav, flac, ogg, mp3 or whatever else libsndfile reads; with ffmpeg also m4a, mp4, aac
            and so on, of which the first audio track is read.

    Raises:
        ValueError: for a file that is missing or not audio, also when `blocks` comes to the place
            that cannot be read, and when there are no samples at all.

    Examples:
        >>> import tempfile, soundfile
        >>> path = f"{tempfile.mkdtemp()}/tone.wav"
        >>> soundfile.write(path, np.zeros((100_000, 2)), 8000)
        >>> with open_audio(path) as audio:
        ...     print(audio.sample_rate, [tuple(block.shape) for block in audio.blocks])
        8000 [(2, 65536), (2, 34464)]
    """
    path = Path(path)
    if not path.is_file():
        raise _unreadable(path, "there is no such file.")
    try:
        file = SoundFile(path)
    except (LibsndfileError, OSError, TypeError) as error:
        file, reason = None, _sentence(error)
    if file is None:
        with _open_by_ffmpeg(path, reason) as stream:
            yield stream
        return
    with file:
        blocks = _some(path, _read(path, file))
        yield AudioStream(file.samplerate, file.channels, file.frames, True, blocks)


def read_audio(path: str | PathLike) -> tuple[Tensor, int]:
    """Reads a whole audio file.

    Args:
        path: as for `open_audio`.

    Returns:
        Samples (C, T) and their rate in hertz.

    Raises:
        ValueError: for a file that is missing, empty or not audio.
    """
    with open_audio(path) as audio:
        return torch.cat(list(audio.blocks), dim=-1), audio.sample_rate


def _read(path: Path, file: SoundFile) -> Iterator[Tensor]:
    try:
        while len(samples := file.read(_BLOCK, dtype="float32", always_2d=True)):
            yield torch.from_numpy(samples.T.copy())
    except LibsndfileError as error:
        raise _unreadable(path, _sentence(error)) from error


@contextmanager
def _open_by_ffmpeg(path: Path, reason: str) -> Iterator[AudioStream]:
    """Has ffmpeg decode a file to a pipe, as AU, whose header tells rate and channels."""
    try:
        program = find_ffmpeg()
    except FileNotFoundError as missing:
        raise _unreadable(
            path, f"{reason} Formats beyond wav, flac, ogg and mp3 need ffmpeg. {missing}"
        ) from missing
    only = ["-protocol_whitelist", "file", "-format_whitelist", ",".join(_FORMATS)]
    source = [*only, "-i", f"file:{path}", "-map", "0:a:0"]
    target = ["-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
    command = [program, "-nostdin", "-hide_banner", "-nostats", "-v", "info", *source, *target]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        try:
            header = process.stdout.read(_AU_HEADER.size)
            if len(header) < _AU_HEADER.size:
                process.wait()
                raise _unreadable(path, f"{reason} ffmpeg: {_complaint(log)}")
            _, offset, _, _, rate, channels = _AU_HEADER.unpack(header)
            process.stdout.read(offset - _AU_HEADER.size)
            blocks = _some(path, _decode(path, process, channels, log))
            yield AudioStream(rate, channels, _estimated_frames(log, rate), False, blocks)
        finally:
            process.kill()


def _decode(path: Path, process: subprocess.Popen, channels: int, log: IO) -> Iterator[Tensor]:
    while data := process.stdout.read(4 * channels * _BLOCK):
        whole = len(data) // (4 * channels) * 4 * channels
        samples = np.frombuffer(data[:whole], ">f4").astype(np.float32).reshape(-1, channels)
        yield torch.from_numpy(samples.T.copy())
    if process.wait():
        raise _unreadable(path, f"ffmpeg: {_complaint(log)}")


def _some(path: Path, blocks: Iterator[Tensor]) -> Iterator[Tensor]:
    """Passes blocks on; there has to be one."""
    first = next(blocks, None)
    if first is None:
        raise ValueError(f"Expected audio in {path}, found no samples.")
    yield first
    yield from blocks


def _estimated_frames(log: IO, rate: int) -> int | None:
    """Returns what ffmpeg says before it starts: how long the file is by its header."""
    log.seek(0)
    found = _DURATION.search(log.read())
    if not found:
        return None
    hours, minutes, seconds = (float(part) for part in found.groups())
    return round((3600 * hours + 60 * minutes + seconds) * rate)


def _complaint(log: IO) -> str:
    log.seek(0)
    text = log.read().decode("utf-8", "replace")
    if "matches no streams" in text:
        return "it has no sound."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _sentence(lines[-1] if lines else "it gave no samples")


def _sentence(reason: object) -> str:
    return f"{str(reason).rstrip('. ')}."


def _unreadable(path: Path, reason: str) -> ValueError:
    return ValueError(f"Expected an audio file at {path}, could not read it: {reason}")
