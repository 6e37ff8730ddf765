"""A video: what yt-dlp and ffmpeg are told about it, and what is made of their answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...utils.audio_decoders import FORMATS
from ...utils.ffmpeg import find_ffmpeg
from .errors import DownloadStoppedError, classify_error
from .process import TransferProcess

WATCH = "https://www.youtube.com/watch?v={id}"

# ffmpeg reads one address: files and playlists, not DASH fragments, where there is a choice.
_FORMATS = {
    "audio": "ba[protocol!*=dash]/b[protocol!*=dash]/ba/b",
    "frames": "bv*[height<=360][protocol!*=dash]/bv*[protocol!*=dash]/bv*/b",
}
# A file that came from elsewhere opens no other, and a playlist nothing of this machine.
_OF_FILE = ["-protocol_whitelist", "file", "-format_whitelist", ",".join(FORMATS)]
_OF_ADDRESS = [
    *("-protocol_whitelist", "http,https,httpproxy,tcp,tls,crypto"),
    *("-format_whitelist", ",".join([*FORMATS, "hls", "dash"])),
]
_COOKIES = r"#( Netscape)? HTTP Cookie File"


@dataclass(frozen=True)
class FetchOptions:
    """How clips are fetched.

    Attributes:
        sample_rate: of the files, in hertz.
        url_template: where a video is looked up, with {id} in it.
        cookies: content of a cookies.txt, sent along.
        rate_limit: bytes per second of a video that is fetched whole, None for no limit.
        timeout: how long to wait for a server that is silent, in seconds.
        clip_timeout: how long the sound of a clip may take, and its frames again, in seconds;
            pauses are not counted.
    """

    sample_rate: int = 16_000
    url_template: str = WATCH
    cookies: str | None = None
    rate_limit: float | None = None
    timeout: float = 30.0
    clip_timeout: float = 600.0

    def __post_init__(self) -> None:
        if "{id}" not in self.url_template:
            raise ValueError(
                f"There is no {{id}} in the address {self.url_template!r}: give one such as "
                f"{WATCH}."
            )
        if self.cookies is not None and not re.match(_COOKIES, self.cookies):  # shows none of it
            raise ValueError(
                "These cookies are not in Netscape's format, which begins with the line "
                "'# Netscape HTTP Cookie File'. Export them as cookies.txt."
            )
        for name in ("timeout", "clip_timeout"):
            if not (seconds := getattr(self, name)) > 0:
                raise ValueError(f"A {name} is a number of seconds above 0, received {seconds}.")


@dataclass(frozen=True)
class Cut:
    """What ffmpeg made of a video."""

    source: str  # the file or address that it was cut from
    duration: float | None  # of the video in seconds, by its page
    told: float | None  # by its container
    code: int  # with which ffmpeg ended
    log: str


class Video:
    """A video, looked up once."""

    def __init__(self, video_id: str, options: FetchOptions, process: TransferProcess) -> None:
        self.address = options.url_template.replace("{id}", video_id)
        self.options = options
        self.process = process
        self._info: dict[str, Any] | None = None

    def cut(
        self,
        kind: str,
        folder: Path,
        excerpt: Sequence[str],
        output: Sequence[str],
        end: float,
        *,
        whole: bool,
    ) -> Cut:
        """Cuts its "audio" or its "frames" until the time `end`; raises a `FetchError`.

        `whole` fetches the video into a folder first, where it goes on where an earlier run was
        interrupted; otherwise ffmpeg reads from the address what it needs.
        """
        timeout = str(round(min(self.options.timeout, 1e6) * 1e6))
        request = {
            "address": self.address,
            "info": self._info,
            "whole": whole,
            "params": self._params(kind, folder),
            "cookies": self.options.cookies,
            "ffmpeg": [find_ffmpeg(), "-hide_banner", "-nostdin", "-nostats", "-v", "level+info"],
            "of_file": _OF_FILE,
            "of_address": ["-rw_timeout", timeout, *_OF_ADDRESS],
            "excerpt": excerpt,
            "output": [*output[:-1], "-y", output[-1]],
        }
        answer = self.process.run(request, end)
        self._info = self._info or answer.get("info")
        if "error" in answer:
            number = answer["errno"]
            raise classify_error(answer["error"], answer["warnings"]) from (
                OSError(number, "") if number else None
            )
        told = re.search(r"^\[info\]\s+Duration: (\d+):(\d+):([\d.]+)", answer["log"], re.MULTILINE)
        seconds = 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3]) if told else None
        return Cut(answer["source"], answer["duration"], seconds, answer["code"], answer["log"])

    def _params(self, kind: str, folder: Path) -> dict[str, Any]:
        return {
            "format": _FORMATS[kind],
            "quiet": True,
            "noprogress": True,
            "color": "never",
            "noplaylist": True,
            "socket_timeout": self.options.timeout,
            "retries": 1,
            "extractor_retries": 1,
            "fragment_retries": 2,
            "fixup": "never",
            "ffmpeg_location": find_ffmpeg(),
            "ratelimit": self.options.rate_limit,
            "outtmpl": {"default": "%(format_id)s.%(ext)s"},
            "paths": {"home": str(folder)},
        }


def check_tools() -> None:
    """Says how to install yt-dlp or ffmpeg where one is missing."""
    if find_spec("yt_dlp") is None:
        raise DownloadStoppedError(
            "yt-dlp, which finds the videos, is not installed. Run `pip install "
            "'asteroid-bimodal[download]'` or `pip install 'yt-dlp[default]'`."
        )
    try:
        find_ffmpeg()
    except FileNotFoundError as error:
        raise DownloadStoppedError(str(error)) from error
