"""Checking that splits share nothing: no video, no content; and that pinned lists are whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..manifest import Clip
from ..pinned import PinnedMixture, read_test_list
from ..video_id import video_id
from .files import Probe
from .findings import Finding, shorten


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
