"""Looking a video up with yt-dlp, and fetching all of it where only parts will not do."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils.ffmpeg import find_ffmpeg
from .errors import DownloadStoppedError, FetchError, classify_error, one_line
from .excerpt import Excerpt

WATCH = "https://www.youtube.com/watch?v={id}"

# ffmpeg reads one address: files and playlists, not DASH fragments, where there is a choice.
_FORMATS = {
    "audio": "ba[protocol!*=dash]/b[protocol!*=dash]/ba/b",
    "frames": "bv*[height<=360][protocol!*=dash]/bv*[protocol!*=dash]/bv*/b",
}
_COOKIES = r"#( Netscape)? HTTP Cookie File"
_LIVE = ("is_live", "is_upcoming", "post_live")


@dataclass(frozen=True)
class FetchOptions:
    """How clips are fetched.

    Attributes:
        sample_rate: of the files, in hertz.
        url_template: where a video is looked up, with {id} in it.
        cookies: content of a cookies.txt, sent along.
        rate_limit: bytes per second of a video that is fetched whole, None for no limit.
        timeout: how long to wait for a server that is silent, in seconds.
    """

    sample_rate: int = 16_000
    url_template: str = WATCH
    cookies: str | None = None
    rate_limit: float | None = None
    timeout: float = 30.0

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


class Video:
    """A video, looked up once; `stop` ends a lookup or a transfer when it is set."""

    def __init__(self, video_id: str, options: FetchOptions, stop: threading.Event) -> None:
        self.address = options.url_template.replace("{id}", video_id)
        self.options = options
        self.stop = stop
        self._info: dict[str, Any] | None = None

    def excerpt(self, kind: str, folder: Path, start: float, seconds: float | None) -> Excerpt:
        """Finds an excerpt of its "audio" or its "frames"."""
        # Of an excerpt without an end the whole video is fetched into a folder, where it goes on
        # where an earlier run was interrupted; otherwise only the address is looked up.
        whole = seconds is None
        with self._client(kind, folder) as client:
            info = self._choose_format(client)
            headers = dict(info.get("http_headers") or {})
            if whole:
                info = client.process_ie_result(client.sanitize_info(self._info), download=True)
                source = info["requested_downloads"][0]["filepath"]
            else:
                source = info["url"]
                if cookies := client.cookiejar.get_cookie_header(source):
                    headers["Cookie"] = cookies
            duration, timeout = info.get("duration"), self.options.timeout
            return Excerpt(source, start, seconds, duration, self.stop, headers, timeout)

    @contextmanager
    def _client(self, kind: str, folder: Path) -> Iterator[Any]:
        """A client of yt-dlp, whose errors end this clip and not the run."""
        yt_dlp = import_yt_dlp()
        log = _Log(self._check_stop)
        try:
            with yt_dlp.YoutubeDL(self._params(kind, folder, log)) as client:
                yield client
        except yt_dlp.utils.YoutubeDLError as error:
            raise classify_error(str(error), log.warnings) from error
        except (FetchError, OSError, MemoryError):
            raise
        except Exception as error:  # on a page of a new form, yt-dlp raises a KeyError or the like
            reason = f"yt-dlp: {type(error).__name__}: {error}"
            raise FetchError(one_line(" — ".join([reason, *log.warnings]))) from error

    def _choose_format(self, client: Any) -> dict[str, Any]:
        if self._info is None:
            self._info = client.sanitize_info(client.extract_info(self.address, download=False))
        if "formats" not in self._info:
            raise FetchError("expected one video at this address, found a list")
        if self._info.get("live_status") in _LIVE:
            raise FetchError("is live, or about to be: its seconds are not settled yet")
        info = client.process_ie_result(client.sanitize_info(self._info), download=False)
        # YouTube sends nothing before the advertisements would have ended. yt-dlp waits for that,
        # too, but before whole videos only, and no stop ends its wait.
        if self.stop.wait(max(0.0, (info.get("available_at") or 0.0) - time.time())):
            raise FetchError("stopped")
        return info

    def _params(self, kind: str, folder: Path, log: _Log) -> dict[str, Any]:
        params = {
            "format": _FORMATS[kind],
            "logger": log,
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
            "progress_hooks": [self._check_stop],
            "outtmpl": {"default": "%(format_id)s.%(ext)s"},
            "paths": {"home": str(folder)},
        }
        if self.options.cookies is not None:
            # A stream: yt-dlp would write the cookies that it gets back into a file.
            params["cookiefile"] = io.StringIO(self.options.cookies)
        return params

    def _check_stop(self, _: object) -> None:
        if self.stop.is_set():
            raise FetchError("stopped")


class _Log:
    """Keeps the first warnings of yt-dlp; `debug` is given every other message, one per request."""

    def __init__(self, debug: Callable[[str], None]) -> None:
        self.debug = debug
        self.warnings: list[str] = []

    def warning(self, message: str) -> None:
        if len(self.warnings) < 2 and "generic information extractor" not in message:
            self.warnings.append(message)

    def error(self, message: str) -> None:
        """Leaves it out: it is raised, too."""


def import_yt_dlp() -> Any:
    """Imports yt-dlp, or says how to install it."""
    try:
        import yt_dlp
    except ImportError as error:
        raise DownloadStoppedError(
            "yt-dlp, which finds the videos, is not installed. Run `pip install "
            "'asteroid-bimodal[download]'` or `pip install 'yt-dlp[default]'`."
        ) from error
    return yt_dlp
