"""The sound and the pictures of a clip, cut out of its video and checked.

yt-dlp cuts sections, too; but only between packets, and without telling why a server refused.
"""

from __future__ import annotations

import errno
import math
import os
import re
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...utils.audio_file import UnreadableAudioError, open_audio
from .errors import FetchError, GoneError, classify_error
from .video import Cut, Video

_SHORTER = (0.5, 0.02)  # seconds or share that it may be shorter than the video's page says
_AUDIO = [
    *("-map", "0:a:0", "-vn", "-ac", "1", "-sample_fmt", "s16", "-map_metadata", "-1"),
    *("-fflags", "+bitexact", "-flags:a", "+bitexact", "-ar"),
]
_FRAMES = ["-map", "0:v:0", "-an", "-vf", "fps=1", "-q:v", "3", "-start_number", "0"]


@dataclass(frozen=True)
class Excerpt:
    """Some seconds of a video; cutting raises a `FetchError`."""

    video: Video
    start: float
    seconds: float | None  # None for all that follows
    folder: Path  # for what is fetched on the way
    end: float  # when cutting is given up, by the monotonic clock

    def cut_audio(self, target: Path, sample_rate: int) -> float:
        """Writes it as 16 bit mono, .wav or .flac; returns the checked length in seconds."""
        return check_audio(target, self._cut("audio", [*_AUDIO, str(sample_rate), str(target)]))

    def cut_frames(self, folder: Path) -> float:
        """Writes `00000.jpg` and so on into a folder, one a second; returns their number."""
        expected = self._cut("frames", [*_FRAMES, str(folder / "%05d.jpg")]) or 1.0
        frames = sum(path.stat().st_size > 0 for path in folder.glob("*.jpg"))
        if frames < max(1, math.floor((1 - _SHORTER[1]) * expected) - 1):
            raise FetchError(f"has {frames} frames, expected one for each of {expected:.1f} s")
        return float(frames)

    def _cut(self, kind: str, output: Sequence[str]) -> float | None:
        """Returns the length that it should have, None when nobody said."""
        span = ["-ss", f"{self.start:g}"] if self.start else []
        span += ["-t", f"{self.seconds:g}"] if self.seconds else []
        for whole in (False, True) if self.seconds else (True,):
            cut = self.video.cut(kind, self.folder, span, output, self.end, whole=whole)
            # Only the container says that the video ends so soon, and some are as long as what is
            # there of them: whether that is all shows when it is fetched.
            end = self.start + (self.seconds or 0.0)
            if cut.duration or cut.told is None or cut.told >= end:
                break
        if whole and not cut.code and kind == "audio":
            check_audio(cut.source, stop=self.video.process.stop)
        if cut.code:
            raise self._error(kind, cut)
        return self._expected(cut.duration or cut.told)

    def _error(self, kind: str, cut: Cut) -> Exception:
        if cut.code == -getattr(signal, "SIGXFSZ", 0):
            return OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        if "matches no streams" in cut.log:
            return GoneError(f"has no {'sound' if kind == 'audio' else 'pictures'}")
        if duration := cut.duration or cut.told:
            self._expected(duration)
        return classify_error(_complaint(cut.log) or f"ffmpeg ended with {cut.code}")

    def _expected(self, duration: float | None) -> float | None:
        """The length that the excerpt of a video of this duration has."""
        if duration is None:
            return self.seconds
        left = duration - self.start
        if left < _SHORTER[0]:
            raise GoneError(
                f"the video ends at {duration:.1f} s, before the clip begins at {self.start:g} s"
            )
        return left if self.seconds is None else min(self.seconds, left)


def check_audio(
    path: str | Path, expected: float | None = None, stop: threading.Event | None = None
) -> float:
    """Decodes a whole file; returns its length in seconds, which should be the expected one."""
    samples = 0
    try:
        with open_audio(path, strict=True) as audio:
            for block in audio.blocks:
                samples += block.shape[-1]
                if stop and stop.is_set():
                    raise FetchError("stopped")
    except UnreadableAudioError as error:
        raise FetchError(str(error).removeprefix(f"{path} ").rstrip(".")) from error
    seconds = samples / audio.sample_rate
    if expected and seconds < expected - max(_SHORTER[0], _SHORTER[1] * expected):
        raise FetchError(f"breaks off at {seconds:.1f} s, expected {expected:.1f} s")
    return round(seconds, 3)


def _complaint(log: str) -> str:
    """The errors in ffmpeg's log, without the places in memory and on disk that they are about."""
    lines = re.findall(r"^(?:\[[^\]]* @ \w+\] )?\[(?:error|fatal)\] (.*)$", log, re.MULTILINE)
    told = [line.strip() for line in lines if not re.match(r"Error opening \w+ file", line)]
    return "; ".join(dict.fromkeys(told))
