"""Looking a video up with yt-dlp, and fetching all of it where only parts will not do."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils.ffmpeg import find_ffmpeg
from .media import Media
from .problems import DownloadStoppedError, FetchError, one_line, problem

WATCH = "https://www.youtube.com/watch?v={id}"

# ffmpeg reads one address: files and playlists, not DASH fragments, where there is a choice.
_FORMATS = {
    "audio": "ba[protocol!*=dash]/b[protocol!*=dash]/ba/b",
    "frames": "bv*[height<=360][protocol!*=dash]/bv*[protocol!*=dash]/bv*/b",
}


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
        """Checks the template."""
        if "{id}" not in self.url_template:
            raise ValueError(
                f"Expected an address with {{id}} in it, such as {WATCH}; received "
                f"{self.url_template!r}."
            )


class Video:
    """A video, looked up once when something of it is first asked for.

    Args:
        video_id: what the address is made from.
        options: how to fetch.
        stop: ends a transfer when it is set.
    """

    def __init__(self, video_id: str, options: FetchOptions, stop: threading.Event) -> None:
        self.address = options.url_template.replace("{id}", video_id)
        self.options = options
        self.stop = stop
        self._info: dict[str, Any] | None = None

    def find(self, kind: str) -> Media:
        """Returns the address of its sound or pictures.

        Args:
            kind: audio or frames.

        Raises:
            FetchError: when it is not there, or has none.
        """
        info, cookies = self._process(kind, None)
        headers = dict(info.get("http_headers") or {})
        if cookies:
            headers["Cookie"] = cookies
        return Media(info["url"], headers, info.get("duration"))

    def download(self, kind: str, folder: Path) -> Media:
        """Fetches its sound or pictures whole; goes on where an earlier run was interrupted.

        Args:
            kind: audio or frames.
            folder: where the file goes.

        Raises:
            FetchError: when it is not there, or has none.
        """
        info, _ = self._process(kind, folder)
        return Media(info["requested_downloads"][0]["filepath"], {}, info.get("duration"))

    def _process(self, kind: str, folder: Path | None) -> tuple[dict[str, Any], str | None]:
        yt_dlp = import_yt_dlp()
        log = _Log()
        try:
            with yt_dlp.YoutubeDL(self._params(kind, folder, log)) as client:
                if self._info is None:
                    found = client.extract_info(self.address, download=False)
                    self._info = client.sanitize_info(found)
                if "formats" not in self._info:
                    raise FetchError("expected one video at this address, found a list")
                info = client.sanitize_info(self._info)
                info = client.process_ie_result(info, download=folder is not None)
                return info, client.cookiejar.get_cookie_header(info.get("url") or self.address)
        except yt_dlp.utils.YoutubeDLError as error:
            raise problem(str(error), log.warnings) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # A page that yt-dlp does not understand ends this clip, not the run.
            reason = f"yt-dlp: {type(error).__name__}: {error}"
            raise FetchError(one_line(" — ".join([reason, *log.warnings]))) from error

    def _params(self, kind: str, folder: Path | None, log: _Log) -> dict[str, Any]:
        options = self.options
        params = {
            "format": _FORMATS[kind],
            "logger": log,
            "quiet": True,
            "noprogress": True,
            "color": "never",
            "noplaylist": True,
            "socket_timeout": options.timeout,
            "retries": 1,
            "extractor_retries": 1,
            "fragment_retries": 2,
            "fixup": "never",
            "ffmpeg_location": find_ffmpeg(),
            "ratelimit": options.rate_limit,
            "progress_hooks": [self._hook],
            "outtmpl": {"default": "%(format_id)s.%(ext)s"},
            "paths": {"home": str(folder)} if folder else {},
        }
        if options.cookies is not None:
            # A stream: yt-dlp would write the cookies that it gets back into a file.
            params["cookiefile"] = io.StringIO(options.cookies)
        return params

    def _hook(self, _: dict[str, Any]) -> None:
        if self.stop.is_set():
            raise FetchError("stopped")


class _Log:
    """Keeps the first warnings, which often say why something fails."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        """Leaves it out."""

    def warning(self, message: str) -> None:
        if len(self.warnings) < 2 and "generic information extractor" not in message:
            self.warnings.append(message)

    def error(self, message: str) -> None:
        """Leaves it out: it is raised, too."""


def import_yt_dlp():
    """Imports yt-dlp.

    Raises:
        DownloadStoppedError: when it is not installed; the message says how to install it.
    """
    try:
        import yt_dlp
    except ImportError as error:
        raise DownloadStoppedError(
            "Expected yt-dlp, which finds the videos, found it not installed. Run `pip install "
            "'asteroid-bimodal[download]'` or `pip install yt-dlp`."
        ) from error
    return yt_dlp
