"""The ledger, `<root>/download.csv`: a row for each end that fetching a file came to."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from .problems import DownloadStoppedError, disk_watch

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


_COLUMNS = [field.name for field in fields(Row)]


class Ledger:
    """Appends rows, each of them in one write, and knows the last row of every path.

    A run that was killed may leave half a row at the end of the file; it is cut off. Two runs at
    once would fetch everything twice, so that the second is turned away.

    Args:
        root: folder of the set.

    Raises:
        DownloadStoppedError: when another run is at work.
        ValueError: for a file that is no ledger.

    Examples:
        >>> import tempfile
        >>> root = tempfile.mkdtemp()
        >>> with Ledger(root) as ledger:
        ...     ledger.append(Row("audio/a.flac", "a", 0.0, "gone", "Private video"))
        >>> read_ledger(root)["audio/a.flac"].reason
        'Private video'
    """

    def __init__(self, root: str | Path) -> None:
        self.path = Path(root) / LEDGER
        self._file = lock(root)
        try:
            self.rows = read_ledger(root)
            with disk_watch(self.path.parent):
                self._mend()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, row: Row) -> None:
        """Adds a row, which is on its way to the disk when this returns.

        Args:
            row: without its moment, which is now.

        Raises:
            DiskFullError: when there is no space; nothing of the row stays.
        """
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = _line([*astuple(row)[:-1], now])
        size = self._file.tell()
        with disk_watch(self.path.parent):
            if self._file.write(line) != len(line):
                self._file.truncate(size)
                self._file.write(line)
        self.rows[row.path] = row

    def _mend(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)
        self._file.seek(0, os.SEEK_END)
        if not whole:
            self._file.write(_line(_COLUMNS))


def lock(root: str | Path) -> io.FileIO:
    """Keeps other commands out of a folder, until the file that is returned is closed.

    Args:
        root: folder of the set, which is made when missing.

    Returns:
        The ledger, for appending: it is what can be locked on network drives, too.

    Raises:
        DownloadStoppedError: when another command is at work.
    """
    path = Path(root) / LEDGER
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab", buffering=0)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DownloadStoppedError(
            f"Another download is at work in {path.parent}: wait until it ends."
        ) from error
    except (ImportError, OSError):
        pass  # neither Windows nor every network drive has such locks
    return file


def read_ledger(root: str | Path) -> dict[str, Row]:
    """Reads the last row of every path.

    Args:
        root: folder of the set; one without a ledger has no rows.

    Raises:
        ValueError: for a file that is no ledger.
    """
    path = Path(root) / LEDGER
    if not path.is_file():
        return {}
    content = path.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].decode("utf-8", "replace")
    table = csv.reader(io.StringIO(lines, newline=""))
    rows = {}
    for number, cells in enumerate(table, start=1):
        if number == 1 and cells == _COLUMNS:
            continue
        try:
            name, video, start, status, reason, seconds, when = cells
            row = Row(name, video, float(start), status, reason, float(seconds), when)
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: expected the columns {', '.join(_COLUMNS)}, received "
                f"{cells}. Delete this line, or the file: what is there is then checked again."
            ) from error
        rows[name] = row
    return rows


def _line(cells: list) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
