"""Finding the ffmpeg program, which cuts what is downloaded."""

from __future__ import annotations

import shutil


def find_ffmpeg() -> str:
    """Returns the path of an ffmpeg: the one on the PATH, else that of `imageio-ffmpeg`."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise FileNotFoundError(
            "There is no ffmpeg on the PATH. Install it with your system's packages, or with "
            "`pip install imageio-ffmpeg`."
        ) from error
