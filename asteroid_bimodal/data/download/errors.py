"""Why a clip could not be fetched: gone, refused, unreachable or failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...utils.files import disk_full_error

_LONGEST = 240  # characters of a reason in the ledger

# Looked for in this order: what YouTube says to a client that asks too often, or to a player or an
# account that it does not serve, begins like what it says of a removed video.
_REFUSED = (
    r"http error 429|too many requests|429 too many|not a bot|try again later|rate-limited|captcha"
    r"|blocked by youtube|unusual traffic"
)
_NOT_SERVED = (
    r"not available on this app|playback on other websites|error code: \d"
    r"|content isn't available\.?$|(api page|video data): http error 4"
)
_GONE = (
    r"http error (404|410)|private video|video is private|video (is )?unavailable"
    r"|no longer available|(has been|was) (removed|terminated|deleted)"
    r"|(video|content|recording) (is not|isn't) available|made this video available"
    r"|blocked it|(blocked|not available) in your country|removed by the uploader|does not exist"
    r"|members.only|channel's members|premium members|requires payment"
    r"|confirm your age|age-restricted|inappropriate for some users"
)
_UNEXPLAINED = r"video (is )?(unavailable|not available)\.?$"
_UNREACHABLE = (
    r"timed? ?out|connection (refused|reset|aborted)|unreachable|failed to resolve|getaddrinfo"
    r"|name or service not known|name resolution|no route to host|nodename nor servname"
    r"|remote end closed|http error 5\d\d|server returned 5\w\w|unable to connect"
    r"|failed to extract any player response"
)


class FetchError(Exception):
    """A clip that could not be fetched; trying again later may help."""


class GoneError(FetchError):
    """A clip that is private, removed, blocked or not for us: trying again is of no use."""


class UnreachableError(FetchError):
    """A server that gives no answer: perhaps there is no network."""


class RefusedError(FetchError):
    """A server that asks for patience, or takes us for a robot."""


class SlowError(FetchError):
    """A clip that is not there in time; what has arrived is of use to the next run."""


class DownloadStoppedError(OSError):
    """A run that cannot go on; the message says why and how to go on.

    Attributes:
        summary: how far a download came, as `download` returns it; None where nothing more can be
            written, and of other commands.
    """

    summary: Any = None


class DiskFullError(DownloadStoppedError):
    """No space left."""


_PATTERNS = {
    _REFUSED: RefusedError,
    _NOT_SERVED: FetchError,
    _GONE: GoneError,
    _UNREACHABLE: UnreachableError,
}


def classify_error(text: str, hints: Sequence[str] = ()) -> FetchError:
    """Tells from a message of yt-dlp or ffmpeg what kind of error it is about."""
    # Hints are warnings that came before it and add to the reason. That there is no JavaScript
    # runtime also makes a video that is "unavailable", without a why, worth another try.
    said = text.strip().lower().replace("’", "'")
    found = (kind for pattern, kind in _PATTERNS.items() if re.search(pattern, said))
    kind = next(found, FetchError)
    # Without a runtime yt-dlp asks as one player only, which YouTube tells of videos "made for
    # kids" what it tells everybody of those that are not there.
    if re.search(_UNEXPLAINED, said) and any("JavaScript runtime" in hint for hint in hints):
        kind = FetchError
    return kind(one_line(" — ".join([one_line(text), *hints])))


def one_line(text: str) -> str:
    """Puts a message into a short line, without colours and advice to report it."""
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    text = re.sub(r"^\s*ERROR:\s*(\[[\w:]+\]\s*)?", "", text)
    text = " ".join(re.split("; please report| \\(caused by", text)[0].split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@contextmanager
def disk_watch(folder: Path) -> Iterator[None]:
    """Turns whatever fails for want of space in a folder into a `DiskFullError`."""
    try:
        yield
    except DiskFullError:
        raise
    except (FetchError, OSError) as error:
        if full := disk_full_error(folder, error):
            raise DiskFullError(str(full)) from error
        raise
