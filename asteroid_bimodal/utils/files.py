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

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PROBE = b"\0" * 2**20  # more than any program buffers before it notices that a disk is full
_MOST_BYTES = 255  # of a file name


class NoSpaceError(OSError):
    """A full disk or quota, or a file that may not grow any more, in a folder."""

    def __str__(self) -> str:
        if self.errno == errno.EFBIG:
            return (
                f"A file in {self.filename} is as large as files may be there ({self.strerror}): "
                "raise the limit (`ulimit -f`), or choose a folder on another disk."
            )
        return (
            f"There is no room in {self.filename} ({self.strerror}): free some, or choose another "
            "folder."
        )


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that is renamed to it when the block ends well.

    Whoever reads `path` sees the old file or the whole new one. For want of space a `NoSpaceError`
    is raised also where the writer, libsndfile for example, hides why it failed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: soundfile and torch choose the format by it. The rest is no text of
    # others: it fits every file system and every library.
    suffix = path.suffix if path.suffix.isascii() and len(path.suffix) < 20 else ""
    temporary = path.with_name(f".{secrets.token_hex(16)}{suffix}")
    try:
        # The system gives a new file its usual permissions; asking for the umask would mean to set
        # it, for all threads. Writers that make the file anew may choose others.
        temporary.touch(exist_ok=False)
        permissions = stat.S_IMODE(temporary.stat().st_mode)
        yield temporary
        temporary.chmod(permissions)
        temporary.replace(path)
    except Exception as error:
        if full := disk_full_error(path.parent, error, temporary):
            raise full from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: str | Path, suffix: str) -> None:
    """Removes files that killed writers have left half done in a folder."""
    for temporary in Path(folder).glob(f".{'[0-9a-f]' * 32}{suffix}"):
        temporary.unlink(missing_ok=True)


def disk_full_error(
    folder: str | Path, error: BaseException, written: Path | None = None
) -> NoSpaceError | None:
    """An error with the system's errno if `error` came of a lack of space, else None.

    `written` is the file that was being written, unless others still need it: it gets longer here.
    """
    # Programs and libraries word it differently, or not at all: the errors behind this one are
    # looked through, and then more is written to see.
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, OSError) and behind.errno in _NO_SPACE:
            return NoSpaceError(behind.errno, os.strerror(behind.errno), str(folder))
        behind = behind.__cause__ or behind.__context__
    probe = written or Path(folder) / f".{secrets.token_hex(8)}"
    try:
        with probe.open("ab", buffering=0) as file:
            done = 0
            while done < len(_PROBE):  # a nearly full disk takes a part
                done += file.write(_PROBE[done:])
            os.fsync(file.fileno())  # network file systems check quotas here
    except OSError as refused:
        if refused.errno in _NO_SPACE:
            return NoSpaceError(refused.errno, os.strerror(refused.errno), str(folder))
    finally:
        if probe != written:
            probe.unlink(missing_ok=True)
    return None


def raw_path(path: str | os.PathLike) -> str | bytes:
    """A path as libraries in C take it, also where its name is no text."""
    return os.fsencode(path) if os.name == "posix" else os.fspath(path)


def join_name(stem: str, ending: str) -> str:
    """Joins a file name, with a digest in place of the stem's end where it would be too long."""
    room = _MOST_BYTES - len(os.fsencode(ending))
    if len(os.fsencode(stem)) <= room:
        return stem + ending
    digest = f"_{_digest(stem)}"
    return cut_text(stem, room - len(digest)) + digest + ending


def cut_text(text: str, most: int) -> str:
    """Cuts a text to `most` bytes at a character's end."""
    size = 0
    for place, char in enumerate(text):
        size += len(char.encode("utf-8", "surrogatepass"))
        if size > most:
            return text[:place]
    return text


def safe_name(text: str, max_length: int = 60) -> str:
    """Turns a query into a file name: letters, digits, `-` and `_`, never empty, never a path."""
    # Longer names are cut and get a short digest, so that they stay distinct.
    normal = unicodedata.normalize("NFKC", text)
    name = re.sub(r"[^\w-]+", "_", normal).strip("_-")
    short = cut_text(name, max_length)
    if name and short == name:
        return name
    return f"{short}_{_digest(text)}" if name else f"query_{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
