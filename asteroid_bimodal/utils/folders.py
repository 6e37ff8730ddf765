"""Folders that appear whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """Yields a new folder beside `target` that takes its place when the block ends well.

    Args:
        target: the folder to write; one that is there goes, with all that it holds.

    Examples:
        >>> target = Path(tempfile.mkdtemp()) / "sub" / "saved"
        >>> for text in ("old", "new"):
        ...     with atomic_folder(target) as folder:
        ...         _ = (folder / f"{text}.txt").write_text(text)
        >>> [path.name for path in target.iterdir()]
        ['new.txt']
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        folder = Path(scratch) / "new"
        folder.mkdir()
        yield folder
        old = Path(scratch) / "old"
        if target.exists():
            target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
