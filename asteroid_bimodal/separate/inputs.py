"""What is to be separated: a file, a folder or a pattern."""

from __future__ import annotations

import glob
from pathlib import Path

from ..utils.audio_file import AUDIO_SUFFIXES
from .log import LOG_NAME


def find_inputs(source: str | Path) -> list[Path]:
    """Finds the audio files that a file name, a folder or a glob pattern means.

    Args:
        source: "duet.wav", "recordings/" or "recordings/*.flac".

    Returns:
        The files, sorted.

    Raises:
        FileNotFoundError: when there is none.
    """
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
