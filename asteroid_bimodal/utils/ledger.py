"""CSV files that rows are only appended to, so that the writer may be killed at any moment."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import weakref
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from .files import atomic_write, disk_full_error

Row = TypeVar("Row")

_PARSERS = {str: str, float: float}  # of other types, cells are JSON
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}  # a file may have any name


def read_ledger(path: str | Path, row_type: type[Row]) -> dict[str, Row]:
    """Reads the last row of each key; half a row at the end is left out, no file has no rows."""
    path, columns, types = Path(path), _columns(row_type), get_type_hints(row_type)
    parsers = [(name, _PARSERS.get(types[name], json.loads)) for name in columns]
    content = path.read_bytes() if path.is_file() else b""
    whole = _whole_rows(content).removeprefix(codecs.BOM_UTF8)  # as Excel writes it
    if not whole and _format([columns]).startswith(content):
        return {}  # nothing, or half a header
    table = csv.reader(io.StringIO(whole.decode(**_TEXT), newline=""))
    rows: dict[str, Row] = {}
    try:
        header = next(table, None)
        for cells in filter(None, table if header == columns else ()):
            pairs = zip(parsers, cells, strict=True)
            rows[cells[0]] = row_type(**{name: parse(cell) for (name, parse), cell in pairs})
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{path}, line {table.line_num}: this row does not fit the columns "
            f"{', '.join(columns)}. Delete the line, or the file."
        ) from error
    if header != columns:
        raise ValueError(
            f"{path} is another file: its columns are not {', '.join(columns)}. Move it, or choose "
            "another folder."
        )
    return rows


class Ledger(Generic[Row]):
    """The rows of a CSV by the first column, of which the last row of each key counts.

    The columns are the fields of a dataclass, the first one is the key; what is not text is JSON.
    A row is appended in one write. Half a row, which a killed writer may have left, is cut off
    when the file is opened again. Several processes may append to one file.
    """

    def __init__(self, path: str | Path, row_type: type[Row]) -> None:
        self.path, self._row_type = Path(path), row_type
        self.rows = read_ledger(path, row_type)
        content = self.path.read_bytes() if self.path.is_file() else b""
        whole = _whole_rows(content)
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        # Where the header is there already, this tells whether rows can be appended.
        self._write([] if whole else [_columns(row_type)])

    def append(self, row: Row) -> None:
        """Adds a row, which is on its way to the disk then; on an OSError no part of it stays."""
        cells = _cells(row)
        self._write([cells])
        self.rows[cells[0]] = row

    def compact(self) -> None:
        """Writes the last row of each key, and nothing else."""
        self.rows = read_ledger(self.path, self._row_type)  # another process may have added some
        with atomic_write(self.path) as temporary:
            lines = [_columns(self._row_type), *map(_cells, self.rows.values())]
            temporary.write_bytes(_format(lines))

    def _write(self, lines: Iterable[list[str]]) -> None:
        content = _format(lines)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab", buffering=0) as file:
            written = 0
            try:
                while written < len(content):  # a nearly full disk takes a part
                    written += file.write(content[written:])
            except OSError as error:
                if written:
                    file.truncate(file.tell() - written)
                raise disk_full_error(self.path.parent, error) or error from error


def lock_file(path: str | Path) -> io.FileIO:
    """Locks a file until what is returned is closed; BlockingIOError if another holds the lock."""
    # Where the system has no such locks (Windows, some network drives), nothing is locked.
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "ab", buffering=0)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    except (ImportError, OSError):
        pass
    _LOCKED.add(file)
    return file


def _close_locked() -> None:
    for file in _LOCKED:
        file.close()


# A forked process, which may outlive this one, would go on holding the lock.
_LOCKED: weakref.WeakSet[io.FileIO] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_locked)


def _columns(row_type: type) -> list[str]:
    return [column.name for column in fields(row_type)]


def _cells(row: Any) -> list[str]:
    values = (getattr(row, name) for name in _columns(type(row)))
    return [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]


def _format(lines: Iterable[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode(**_TEXT)


def _whole_rows(content: bytes) -> bytes:
    """Leaves out half a row at the end."""
    end = content.rfind(b"\n") + 1
    while content.count(b'"', 0, end) % 2:  # a line break within quotes
        end = content.rfind(b"\n", 0, end - 1) + 1
    return content[:end]
