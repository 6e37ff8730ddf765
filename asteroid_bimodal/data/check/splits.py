"""Checking that splits share nothing: no video, no content; and that pinned lists are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ..manifest import Clip
from ..pinned import PinnedMixture, read_test_list
from .files import Probe
from .findings import Finding, shorten

SHORT_NAME = 6  # letters under which a file name is a number within its folder

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
    if len(pure.stem) < SHORT_NAME:
        return str(pure.with_suffix(""))
    return pure.stem


def check_leaks(splits: Mapping[str, Sequence[Clip]]) -> Iterator[Finding]:
    """Finds videos that are in more than one split.

    Args:
        splits: clips by split.
    """
    videos: dict[str, dict[str, list[str]]] = {}
    for split, clips in splits.items():
        for clip in clips:
            videos.setdefault(video_id(clip.path), {}).setdefault(split, []).append(clip.path)
    for video, places in videos.items():
        if len(places) > 1:
            paths = [f"{split}.csv, {path}" for split, all_ in places.items() for path in set(all_)]
            yield Finding("video in two splits", video, shorten(paths))


def check_contents(
    splits: Mapping[str, Sequence[Clip]], digests: Mapping[str, str]
) -> Iterator[Finding]:
    """Finds files with the same content.

    Args:
        splits: clips by split.
        digests: of the files that may have doubles.
    """
    groups: dict[str, dict[str, set[str]]] = {}
    for split, clips in splits.items():
        for clip in clips:
            if clip.path in digests:
                paths = groups.setdefault(digests[clip.path], {})
                paths.setdefault(clip.path, set()).add(split)
    for paths in groups.values():
        if len(paths) > 1:
            several = len(set.union(*paths.values())) > 1
            kind = "content in two splits" if several else "duplicate content"
            names = [f"{'/'.join(sorted(where))}.csv, {path}" for path, where in paths.items()]
            yield Finding(kind, names[0], f"the same as {shorten(names[1:])}")


def check_lists(
    root: Path, splits: Mapping[str, Sequence[Clip]], probes: Mapping[str, Probe]
) -> Iterator[Finding]:
    """Looks at the pinned lists.

    Args:
        root: folder of the data set.
        splits: clips by split.
        probes: of the clips.
    """
    trained = {video_id(clip.path) for clip in splits.get("train", ())}
    for path in find_lists(root):
        try:
            items = read_test_list(path)
        except ValueError as error:
            yield Finding("broken list", f"lists/{path.name}", str(error))
            continue
        for clip, numbers in _uses(items).items():
            where = f"lists/{path.name}, {clip}"
            uses = f"items {shorten(numbers)} of {len(items)}"
            if video_id(clip) in trained:
                yield Finding("training clip in list", where, uses)
            if not (root / clip).is_file() or probes.get(clip, Probe()).problem == "unreadable":
                yield Finding("clip of list is gone", where, f"{uses} cannot be scored")


def find_lists(root: Path) -> list[Path]:
    """Lists the pinned lists of a data set."""
    return sorted((root / "lists").glob("*.csv"))


def _uses(items: Sequence[PinnedMixture]) -> dict[str, list[int]]:
    """Of each clip, the items that it is in."""
    uses: dict[str, list[int]] = {}
    for mixture in items:
        for source in mixture.sources:
            uses.setdefault(source.path, []).append(mixture.item)
    return uses
