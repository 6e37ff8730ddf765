"""`separated.csv`: what became of each input of a batch, whenever it is looked at."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ..utils.files import atomic_write

LOG_NAME = "separated.csv"
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}  # a file may have any name


@dataclass(frozen=True)
class LogRow:
    """One input of a batch.

    Attributes:
        status: "ok", "failed" or "skipped" (finished before).
        reason: why, unless it is "ok".
        seconds: what it took; of a skipped input, when it was done.
        outputs: names of the files, a JSON list in the CSV.
        presence: by file, a JSON object in the CSV.
    """

    status: str
    reason: str = ""
    seconds: float = 0.0
    outputs: list[str] = field(default_factory=list)
    presence: dict[str, float] = field(default_factory=dict)


_COLUMNS = ["file", *(column.name for column in fields(LogRow))]


def read_log(path: str | Path) -> dict[str, LogRow]:
    """Reads what `separate_files` logged, also after it was killed.

    Args:
        path: the CSV.

    Returns:
        The last row of each input, by its path seen from the folder of the CSV; nothing where
        there is no CSV.

    Raises:
        ValueError: for a file that is not such a CSV.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(**_TEXT), newline=""))
    except (ValueError, OSError, csv.Error):
        header, rows = [], []
    if header != _COLUMNS:
        raise ValueError(
            f"Expected a CSV with the columns {', '.join(_COLUMNS)} at {path}, found another file. "
            f"Move it, or choose another folder with --out."
        )
    found = {}
    for row in rows:
        try:
            file, status, reason, seconds, *lists = row
            found[file] = LogRow(status, reason, float(seconds), *map(json.loads, lists))
        except (ValueError, TypeError):  # cut off when its writer was killed
            continue
    return found


class BatchLog:
    """Appends to `separated.csv`, so that a batch may be killed at any moment.

    A row is written at once, in one piece. If that is cut short, the next run drops it; between
    runs, there is one row for each input.

    Args:
        folder: where the outputs are.

    Raises:
        ValueError: when there is a file of that name that is no such CSV.
        OSError: when the folder cannot be written to.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / LOG_NAME
        self.compact()

    def add(self, path: Path, row: LogRow) -> None:
        """Appends a row, which replaces that of an earlier run.

        Args:
            path: the input that is done.
            row: what became of it.
        """
        file = self._name_of(path)
        self.rows[file] = row
        with open(self.path, "ab", buffering=0) as log:
            log.write(_format({file: row}))

    def skip(self, path: Path, outputs: Iterable[Path]) -> None:
        """Notes that an input was finished before, with what is known of when it was.

        Args:
            path: the input.
            outputs: its outputs.
        """
        names = [output.name for output in outputs]
        known = self.rows.get(self._name_of(path))
        if known is None or known.outputs != names:
            known = LogRow("skipped", outputs=names)
        self.add(path, replace(known, status="skipped", reason="finished before"))

    def _name_of(self, path: Path) -> str:
        return os.path.relpath(path, self.path.parent)

    def compact(self) -> None:
        """Writes the last row of each input, and nothing else."""
        self.rows = read_log(self.path)  # another process may have added to it
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(_format(self.rows, header=True))


def _format(rows: dict[str, LogRow], header: bool = False) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(_COLUMNS)
    for file, row in rows.items():
        presence = {name: round(score, 4) for name, score in row.presence.items()}
        lists = (json.dumps(cell, ensure_ascii=False) for cell in (row.outputs, presence))
        writer.writerow([file, row.status, row.reason, f"{row.seconds:.2f}", *lists])
    return text.getvalue().encode(**_TEXT)
