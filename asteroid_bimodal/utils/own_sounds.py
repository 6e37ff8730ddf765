"""Sounds that this package writes: they say so, wherever they are moved, so that none is input."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from soundfile import LibsndfileError, SoundFile

from .files import raw_path

_SOFTWARE = "asteroid-bimodal"


def new_sound(path: Path, **style: Any) -> SoundFile:
    """Opens a new file to write to, which names its writer where its format can tell."""
    file = SoundFile(raw_path(path), "w", **style)
    with suppress(LibsndfileError):
        file.software = _SOFTWARE
    return file


def is_ours(path: Path) -> bool:
    """Whether a file was opened by `new_sound`, and not written anew by other software."""
    try:
        with SoundFile(raw_path(path)) as file:
            return file.software.startswith(_SOFTWARE)
    except (LibsndfileError, OSError):
        return False
