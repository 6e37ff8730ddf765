"""The ledger, `<root>/download.csv`: a row for each end that fetching a file came to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from ...utils.ledger import Ledger, lock_file
from ...utils.ledger import read_ledger as _read_ledger
from .errors import DownloadStoppedError, disk_watch

LEDGER = "download.csv"


@dataclass(frozen=True)
class Row:
    """How the fetching of one file, or of one folder of frames, ended.

    Attributes:
        path: the file or folder, relative to the folder of the set.
        id: of the video.
        start: where the clip begins in it, in seconds.
        status: ok, gone (not there for us) or failed (tried again by the next run).
        reason: why it is not ok; "found" for a file that was there already.
        seconds: length of a file that is ok, otherwise 0.
        when: the moment, in UTC.
    """

    path: str
    id: str
    start: float
    status: str
    reason: str = ""
    seconds: float = 0.0
    when: str = ""


class DownloadLedger(Ledger[Row]):
    """The rows of a set by their paths; each gets the moment when it is appended."""

    def append(self, row: Row) -> None:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        with disk_watch(self.path.parent):
            super().append(replace(row, when=now))


@contextmanager
def open_ledger(root: str | Path) -> Iterator[DownloadLedger]:
    """Opens the ledger of a set, and keeps other commands out of its folder meanwhile."""
    with lock(root):
        with disk_watch(Path(root)):
            ledger = DownloadLedger(Path(root) / LEDGER, Row)
        yield ledger


@contextmanager
def lock(root: str | Path) -> Iterator[None]:
    """Keeps other commands out of a folder: two runs at once would fetch everything twice."""
    try:
        locked = lock_file(Path(root) / LEDGER)  # network drives lock files, not folders
    except BlockingIOError as error:
        raise DownloadStoppedError(
            f"Another download is at work in {root}: wait until it ends."
        ) from error
    with locked:
        yield


def read_ledger(root: str | Path) -> dict[str, Row]:
    """Reads the last row of every path of a set; a folder without a ledger has none.

    Args:
        root: folder of the set.

    Raises:
        ValueError: for another file of that name.
    """
    return _read_ledger(Path(root) / LEDGER, Row)
