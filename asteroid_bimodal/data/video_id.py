"""Which video a clip is from, by the name of its file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_SHORT_NAME = 6  # letters under which a file name is a number within its folder
# "Y" begins the names of AudioCaps' files; what follows an id are the seconds of the excerpt.
_FILE = re.compile(r"Y?(?P<id>[\w-]{11})(?:_\d+(?:\.\d+)?){0,2}", re.ASCII)
_FOLDER = re.compile(r"(?=.*[\dA-Z])[\w-]{11}", re.ASCII)


def video_id(path: str) -> str:
    """Tells which video a clip is from.

    Args:
        path: of the clip: named after its YouTube id, with or without the seconds of an excerpt, in
            a folder named so, or by any other name, which then is the id.

    Examples:
        >>> video_id("audio/8Wd5bCnJ1eA_000030.flac"), video_id("test/Y8Wd5bCnJ1eA.wav")
        ('8Wd5bCnJ1eA', '8Wd5bCnJ1eA')
        >>> video_id("8Wd5bCnJ1eA/audio.wav"), video_id("violin/take_3_of_ann.wav")
        ('8Wd5bCnJ1eA', 'take_3_of_ann')
        >>> video_id("violin/0001.wav")
        'violin/0001'
    """
    pure = PurePosixPath(path)
    if match := _FILE.fullmatch(pure.stem):
        return match["id"]
    folders = [folder for folder in reversed(pure.parts[:-1]) if _FOLDER.fullmatch(folder)]
    if folders:
        return folders[0]
    return str(pure.with_suffix("")) if len(pure.stem) < _SHORT_NAME else pure.stem
