"""Files: atomic writes and names that are safe whatever the query says."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that is renamed to it when the block ends well.

    Whoever reads `path` sees the old file or the whole new one, never half of it.

    Args:
        path: the file to write; its folder is made when missing.

    Examples:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "sub" / "a.txt"
        >>> with atomic_write(target) as temporary:
        ...     _ = temporary.write_text("done")
        >>> target.read_text()
        'done'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: soundfile and torch choose the format by it.
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem[:40]}.", suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def safe_name(text: str, max_length: int = 60) -> str:
    """Turns a query into a file name: letters, digits, `-` and `_`, never empty, never a path.

    Args:
        text: any text.
        max_length: longer names are cut and get a short digest, so that they stay distinct.

    Examples:
        >>> safe_name("acoustic guitar")
        'acoustic_guitar'
        >>> safe_name("../../etc/passwd")
        'etc_passwd'
    """
    normal = unicodedata.normalize("NFKC", text)
    name = re.sub(r"[^\w-]+", "_", normal).strip("_-")
    if name and len(name) <= max_length:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[:max_length]}_{digest}" if name else f"query_{digest}"
