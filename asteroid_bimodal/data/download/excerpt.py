"""Cutting the sound and the pictures of a clip out of its video, with ffmpeg.

yt-dlp cuts sections, too; but only between packets, without telling why a server refused, and a
cut that is running cannot be stopped.
"""

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
from ...utils.files import raw_path
from .errors import FetchError, GoneError, classify_error

_BLOCK = 1 << 20  # samples decoded at a time to see whether a file is whole
_SHORTER = (0.5, 0.02)  # seconds or share that the sound may be shorter than its container says
_LONGEST_RUN = 1800.0  # seconds after which ffmpeg is given up
_POLL = 0.1  # seconds between two looks at whether the run is stopped


@dataclass(frozen=True)
class Excerpt:
    """Some seconds of a file, or of what an address sends; cutting raises a `FetchError`."""

    source: str
    start: float
    seconds: float | None  # None for all that follows
    duration: float | None  # of the source, None when nobody said
    stop: threading.Event
    headers: Mapping[str, str] = field(default_factory=dict)  # to be sent along to the address
    timeout: float = 30.0  # how long to wait for a server that is silent, in seconds

    def cut_audio(self, target: Path, sample_rate: int) -> float:
        """Writes it as 16 bit mono, .wav or .flac; returns the checked length in seconds."""
        output = ["-map", "0:a:0", "-vn", "-ac", "1", "-ar", str(sample_rate)]
        output += ["-sample_fmt", "s16", "-map_metadata", "-1"]
        output += ["-fflags", "+bitexact", "-flags:a", "+bitexact", str(target)]
        told = self._run_ffmpeg(output)
        return check_audio(target, self._expected(self.duration or told))

    def cut_frames(self, folder: Path) -> float:
        """Writes `00000.jpg` and so on into a folder, one a second; returns their number."""
        output = ["-map", "0:v:0", "-an", "-vf", "fps=1", "-q:v", "3", "-start_number", "0"]
        told = self._run_ffmpeg([*output, str(folder / "%05d.jpg")])
        expected = self._expected(self.duration or told) or 1.0
        frames = sum(path.stat().st_size > 0 for path in folder.glob("*.jpg"))
        if frames < max(1, math.floor((1 - _SHORTER[1]) * expected) - 1):
            raise FetchError(f"has {frames} frames, expected one for each of {expected:.1f} s")
        return float(frames)

    def _expected(self, duration: float | None) -> float | None:
        """The length that the excerpt of a source of this duration has."""
        if duration is None:
            return self.seconds
        left = duration - self.start
        if left < _SHORTER[0]:
            raise GoneError(
                f"the video ends at {duration:.1f} s, before the clip begins at {self.start:g} s"
            )
        return left if self.seconds is None else min(self.seconds, left)

    def _run_ffmpeg(self, output: Sequence[str]) -> float | None:
        """Returns the duration that the container claims, None if it claims none."""
        command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-nostats", "-v", "level+info"]
        if re.match(r"https?://", self.source):
            lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            command += ["-rw_timeout", str(round(self.timeout * 1e6))]
            command += ["-headers", lines] if lines else []
        command += ["-ss", f"{self.start:g}"] if self.start else []
        command += ["-t", f"{self.seconds:g}"] if self.seconds else []
        code, log = _run([*command, "-i", self.source, "-y", *output], self.stop)
        told = re.search(r"^\[info\]\s+Duration: (\d+):(\d+):([\d.]+)", log, re.MULTILINE)
        duration = 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3]) if told else None
        if code:
            if "matches no streams" in log:
                raise GoneError(f"has no {'sound' if output[1] == '0:a:0' else 'pictures'}")
            if duration is not None:
                self._expected(duration)
            raise classify_error(_complaint(log) or f"ffmpeg ended with {code}")
        return duration


def check_audio(path: Path, expected: float | None) -> float:
    """Decodes a whole file; returns its length in seconds, which should be the expected one."""
    samples = 0
    try:
        with soundfile.SoundFile(raw_path(path)) as file:
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


def _run(command: Sequence[str], stop: threading.Event) -> tuple[int, str]:
    """Runs a command until it ends by itself, has to stop or takes too long."""
    end = time.monotonic() + _LONGEST_RUN
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=pipe) as process:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    log = process.communicate(timeout=_POLL)[1]
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
