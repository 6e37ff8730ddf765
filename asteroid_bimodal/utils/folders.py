"""Folders that appear whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import disk_full_error


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """Yields a new folder that replaces `target` and all it holds when the block ends well."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as scratch:
        folder = Path(scratch) / "new"
        try:
            folder.mkdir()
            yield folder
        except Exception as error:
            files = [path for path in folder.rglob("*") if path.is_file()]
            largest = max(files, key=lambda path: path.stat().st_size, default=None)
            if full := disk_full_error(target.parent, error, largest):
                raise full from error
            raise
        old = Path(scratch) / "old"
        if target.exists():
            target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
