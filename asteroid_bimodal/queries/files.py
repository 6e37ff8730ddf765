"""Queries that are files: known by name, size and time, so that a changed file is a new query."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def is_file(query: Any) -> bool:
    """Tells whether a query is the path of a file that is there.

    Examples:
        >>> is_file("violin"), is_file(None)
        (False, False)
    """
    return isinstance(query, (str, os.PathLike)) and Path(query).is_file()


def file_key(path: str | os.PathLike) -> str:
    """Returns what is the same as long as a file stays as it is."""
    about = os.stat(path)
    return f"{os.fspath(path)} {about.st_size} {about.st_mtime_ns}"
