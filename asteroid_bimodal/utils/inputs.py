"""What is to be separated: a file, a folder or a pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"),
    *(".m4a", ".mp4", ".aac", ".wma", ".webm", ".mkv", ".mov"),
)
LOG_NAME = "separated.csv"  # what became of a batch; no input of the next one


def find_inputs(source: str | PathLike | Iterable[str | PathLike]) -> list[Path]:
    """Finds the audio files that file names, folders and glob patterns mean.

    Args:
        source: "duet.wav", "recordings/", "recordings/*.flac", or several of them.

    Returns:
        The files, those of each folder and pattern sorted.

    Raises:
        FileNotFoundError: when there is none of one of them.
    """
    sources = [source] if isinstance(source, (str, PathLike)) else source
    found = list(dict.fromkeys(path for one in sources for path in _find(one)))
    return [path for path in found if path.name != LOG_NAME or len(found) == 1]


def is_input(word: str) -> bool:
    """Whether a word among inputs and queries is an input.

    Args:
        word: what exists, what ends as audio files and videos do, and patterns that files match
            are inputs.

    Examples:
        >>> is_input("missing.wav"), is_input("violin"), is_input("a dog, or two?")
        (True, False, False)
    """
    return (
        Path(word).suffix.lower() in AUDIO_SUFFIXES
        or os.path.exists(word)
        or (glob.has_magic(word) and next(glob.iglob(word, recursive=True), None) is not None)
    )


def _find(source: str | PathLike) -> list[Path]:
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = _audio_of(path)
    else:
        found = [Path(name) for name in glob.glob(str(source), recursive=True)]
    found = [file for file in found if file.is_file() and file.name != LOG_NAME]
    if not found:
        if path.is_dir():
            raise FileNotFoundError(f"There is no audio file in the folder {source}.")
        if glob.has_magic(str(source)):
            raise FileNotFoundError(f"No file is called like {source}.")
        raise FileNotFoundError(f"{source} does not exist.")
    return sorted(found)


def _audio_of(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.name[0] != ".")
    return [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
