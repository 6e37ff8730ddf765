"""What is to be separated: a file, a folder or a pattern."""

from __future__ import annotations

import glob
from pathlib import Path

from ..utils.audio_file import AUDIO_SUFFIXES
from .log import LOG_NAME, read_log


def find_inputs(source: str | Path) -> list[Path]:
    """Finds the audio files that a file name, a folder or a glob pattern means.

    Of a folder, what `separate_files` wrote to it by its log is left out.

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
    ours = _written_to(folder)
    files = (path for path in folder.iterdir() if path.name[0] != "." and path.name not in ours)
    return [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]


def _written_to(folder: Path) -> set[str]:
    try:
        rows = read_log(folder / LOG_NAME).values()
    except ValueError:  # another file of that name, which matters only to who writes here
        return set()
    return {name for row in rows for name in row.outputs}
