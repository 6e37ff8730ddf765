"""Files: atomic writes and names that are safe whatever the query says."""

from __future__ import annotations

import hashlib
import re
import secrets
import stat
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
    name = f".{path.stem[:40]}.{secrets.token_hex(8)}{path.suffix}"
    temporary = path.with_name(name)
    # The system gives a new file its usual permissions; asking for the umask would mean to set it,
    # for all threads. Writers that make the file anew may choose others.
    temporary.touch(exist_ok=False)
    permissions = stat.S_IMODE(temporary.stat().st_mode)
    try:
        yield temporary
        temporary.chmod(permissions)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
