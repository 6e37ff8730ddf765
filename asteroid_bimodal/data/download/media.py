"""Cutting sound and pictures out of what a video's address or file holds, with ffmpeg."""

from __future__ import annotations

import math
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from ...utils.ffmpeg import find_ffmpeg
from .problems import FetchError, GoneError, problem

_BLOCK = 1 << 20  # samples decoded at a time to see whether a file is whole
_SHORTER = (0.5, 0.02)  # seconds or share that the sound may be shorter than its container says
_LONGEST_RUN = 1800.0  # seconds after which ffmpeg is given up
_GLANCE = 0.1  # seconds between two looks at whether the run is stopped


@dataclass(frozen=True)
class Media:
    """Something that ffmpeg reads.

    Attributes:
        source: a file or an address.
        headers: what has to be sent along to the address.
        seconds: its length, None when nobody said.
    """

    source: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None


def cut_audio(
    media: Media,
    target: Path,
    *,
    start: float,
    seconds: float | None,
    sample_rate: int,
    timeout: float,
    stop: threading.Event,
) -> float:
    """Writes an excerpt as 16 bit mono and checks that all of it is there.

    Args:
        media: what to read.
        target: .wav or .flac, in a folder that exists.
        start: where the excerpt begins, in seconds.
        seconds: its length, None for all of it.
        sample_rate: of the file, in hertz.
        timeout: how long to wait for a server that is silent, in seconds.
        stop: ends the reading when it is set.

    Returns:
        The length of the file in seconds.

    Raises:
        FetchError: when it cannot be read, is too short or the run is stopped.
        GoneError: when the video ends before the excerpt begins.
    """
    output = ["-map", "0:a:0", "-vn", "-ac", "1", "-ar", str(sample_rate), "-sample_fmt", "s16"]
    output += ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", str(target)]
    told = _run(media, output, start, seconds, timeout, stop)
    expected = _expected(media.seconds or told, start, seconds)
    return check_audio(target, expected)


def cut_frames(
    media: Media,
    folder: Path,
    *,
    start: float,
    seconds: float | None,
    timeout: float,
    stop: threading.Event,
) -> float:
    """Writes a picture of each second, `00000.jpg` and so on.

    Args:
        media: what to read.
        folder: an empty one.
        start: where the excerpt begins, in seconds.
        seconds: its length, None for all of it.
        timeout: how long to wait for a server that is silent, in seconds.
        stop: ends the reading when it is set.

    Returns:
        The number of pictures, which is the length in seconds.

    Raises:
        FetchError: when there are no pictures, too few, or the run is stopped.
    """
    output = ["-map", "0:v:0", "-an", "-vf", "fps=1", "-q:v", "3", "-start_number", "0"]
    told = _run(media, [*output, str(folder / "%05d.jpg")], start, seconds, timeout, stop)
    frames = sum(path.stat().st_size > 0 for path in folder.glob("*.jpg"))
    expected = _expected(media.seconds or told, start, seconds) or 1.0
    if frames < max(1, math.floor((1 - _SHORTER[1]) * expected) - 1):
        raise FetchError(f"has {frames} frames, expected one for each of {expected:.1f} s")
    return float(frames)


def check_audio(path: Path, expected: float | None) -> float:
    """Decodes a file from its beginning to its end.

    Args:
        path: the file.
        expected: its length in seconds, None when any will do.

    Returns:
        Its length in seconds.

    Raises:
        FetchError: when it cannot be decoded, is empty or too short.
    """
    samples = 0
    try:
        with soundfile.SoundFile(str(path)) as file:
            while count := len(file.read(_BLOCK, dtype="int16")):
                samples += count
            promised, rate = file.frames, file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise FetchError(f"cannot be decoded: {error}") from error
    seconds = samples / rate
    tolerance = max(_SHORTER[0], _SHORTER[1] * (expected or 0.0))
    if not samples or samples < promised or seconds < (expected or 0.0) - tolerance:
        wanted = f"expected {expected:.1f} s" if expected else "expected all of it"
        raise FetchError(f"is {seconds:.1f} s long, {wanted}")
    return round(seconds, 3)


def _expected(whole: float | None, start: float, seconds: float | None) -> float | None:
    if whole is None:
        return seconds
    left = whole - start
    if left < _SHORTER[0]:
        raise GoneError(f"the video ends at {whole:.1f} s, before the clip begins at {start:g} s")
    return left if seconds is None else min(seconds, left)


def _run(
    media: Media,
    output: Sequence[str],
    start: float,
    seconds: float | None,
    timeout: float,
    stop: threading.Event,
) -> float | None:
    """Runs ffmpeg; returns the length that the container claims, None if it claims none."""
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"]
    if re.match(r"https?://", media.source):
        lines = "".join(f"{name}: {value}\r\n" for name, value in media.headers.items())
        command += ["-rw_timeout", str(round(timeout * 1e6))]
        command += ["-headers", lines] if lines else []
    command += ["-ss", f"{start:g}"] if start else []
    command += ["-t", f"{seconds:g}"] if seconds else []
    command += ["-i", media.source, *output[:-1], "-y", output[-1]]
    code, log = _watch(command, stop)
    told = re.search(r"^\[info\]\s+Duration: (\d+):(\d+):([\d.]+)", log, re.MULTILINE)
    whole = 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3]) if told else None
    if code:
        if "matches no streams" in log:
            raise GoneError(f"has no {'sound' if output[1] == '0:a:0' else 'pictures'}")
        if whole is not None:
            _expected(whole, start, seconds)
        raise problem(_complaint(log) or f"ffmpeg ended with {code}")
    return whole


def _watch(command: Sequence[str], stop: threading.Event) -> tuple[int, str]:
    """Runs a command until it ends by itself, has to stop or takes too long."""
    end = time.monotonic() + _LONGEST_RUN
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command, stderr=subprocess.PIPE, **silent) as process:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    log = process.communicate(timeout=_GLANCE)[1]
                    return process.returncode, log.decode("utf-8", "replace")
                if stop.is_set():
                    raise FetchError("stopped")
                if time.monotonic() > end:
                    raise FetchError(f"ffmpeg was given up after {_LONGEST_RUN:.0f} s")
        finally:
            process.kill()


def _complaint(log: str) -> str:
    """The errors in ffmpeg's log, without the places in memory and on disk that they are about."""
    lines = re.findall(r"^(?:\[[^\]]* @ \w+\] )?\[(?:error|fatal)\] (.*)$", log, re.MULTILINE)
    told = [line.strip() for line in lines if not re.match(r"Error opening \w+ file", line)]
    return "; ".join(dict.fromkeys(told))
