"""Files: atomic writes and names that are safe whatever the query says."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_PROBE = b"\0" * 2**20  # more than any program buffers before it notices that a disk is full


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that is renamed to it when the block ends well.

    Whoever reads `path` sees the old file or the whole new one. An OSError has the errno of a full
    disk also where the writer, libsndfile for example, hides why it failed.
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
    except Exception as error:
        if full := disk_full_error(path.parent, error):
            raise full from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def disk_full_error(folder: str | Path, error: BaseException) -> OSError | None:
    """An error with the system's errno if `error` came of a full disk or quota, else None."""
    # Programs and libraries word it differently, or not at all: the errors behind this one are
    # looked through, and then a file is written to see, beside what was written.
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, OSError) and behind.errno in _NO_SPACE:
            return OSError(behind.errno, os.strerror(behind.errno), str(folder))
        behind = behind.__cause__ or behind.__context__
    probe = Path(folder) / f".{secrets.token_hex(8)}"
    try:
        with probe.open("xb", buffering=0) as file:
            written = 0
            while written < len(_PROBE):  # a nearly full disk takes a part
                written += file.write(_PROBE[written:])
            os.fsync(file.fileno())  # network file systems check quotas here
    except OSError as refused:
        if refused.errno in _NO_SPACE:
            return OSError(refused.errno, os.strerror(refused.errno), str(folder))
    finally:
        probe.unlink(missing_ok=True)
    return None


def safe_name(text: str, max_length: int = 60) -> str:
    """Turns a query into a file name: letters, digits, `-` and `_`, never empty, never a path."""
    # Longer names are cut and get a short digest, so that they stay distinct.
    normal = unicodedata.normalize("NFKC", text)
    name = re.sub(r"[^\w-]+", "_", normal).strip("_-")
    if name and len(name) <= max_length:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[:max_length]}_{digest}" if name else f"query_{digest}"
