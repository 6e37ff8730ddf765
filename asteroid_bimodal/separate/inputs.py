"""What is to be separated: a file, a folder or a pattern."""

from __future__ import annotations

import glob
import warnings
from pathlib import Path

from ..utils.ffmpeg import find_ffmpeg
from .log import LOG_NAME, read_log

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff")
FFMPEG_SUFFIXES = (".m4a", ".mp4", ".aac", ".wma", ".webm", ".mkv", ".mov")


def find_inputs(source: str | Path) -> list[Path]:
    """Finds the audio files that a file name, a folder or a glob pattern means.

    Of a folder, files that need ffmpeg are taken where there is one, and left out with a warning
    where there is none. What `separate_files` wrote to it by its log is left out.

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
        kinds = "/".join(suffix[1:] for suffix in AUDIO_SUFFIXES)
        raise FileNotFoundError(
            f"Expected an audio file, a folder of {kinds} files or a quoted pattern such as "
            f"'songs/*.wav', found no audio at {str(source)!r}."
        )
    return sorted(found)


def _audio_of(folder: Path) -> list[Path]:
    ours = _written_to(folder)
    files = [path for path in folder.iterdir() if path.name[0] != "." and path.name not in ours]
    found = [file for file in files if file.suffix.lower() in AUDIO_SUFFIXES]
    more = [file for file in files if file.suffix.lower() in FFMPEG_SUFFIXES]
    if not more:
        return found
    try:
        find_ffmpeg()
    except FileNotFoundError as error:
        left_out = f"{len(more)} of the files in {folder}, such as {more[0].name}, need ffmpeg"
        if not found:
            raise FileNotFoundError(f"All {left_out}. {error}") from error
        warnings.warn(f"{left_out} and are left out. {error}", stacklevel=3)
        return found
    return found + more


def _written_to(folder: Path) -> set[str]:
    try:
        rows = read_log(folder / LOG_NAME).values()
    except ValueError:  # another file of that name, which matters only to who writes here
        return set()
    return {name for row in rows for name in row.outputs}
