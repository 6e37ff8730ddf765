"""Checking that what other data sets train with is not what this one is tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..manifest import Clip, read_manifest
from ..pinned import read_test_list
from .files import file_digests
from .findings import Finding, shorten
from .splits import find_lists, video_id

K = TypeVar("K")


def read_others(root: Path, others: Sequence[str | Path]) -> dict[Path, list[Clip]]:
    """Reads the training clips of other data sets.

    Args:
        root: folder of the data set that is checked.
        others: folders of the others.

    Returns:
        The clips of each train.csv, by folder.

    Raises:
        FileNotFoundError: when there is no train.csv.
        ValueError: when it cannot be read, and when a folder is the data set's own.
    """
    read = {}
    for other in map(Path, others):
        manifest = other / "train.csv"
        if not manifest.is_file():
            raise FileNotFoundError(
                f"Expected {manifest} of another data set that is trained on, found none. Name the "
                "folder that its manifests are in."
            )
        if other.resolve() == root.resolve():
            raise ValueError(
                f"Expected another data set than {root}, received the same: its own splits are "
                "compared in any case."
            )
        read[other] = read_manifest(manifest)
    return read


def check_others(
    root: Path,
    splits: Mapping[str, Sequence[Clip]],
    others: Mapping[Path, Sequence[Clip]],
    jobs: int,
) -> Iterator[Finding]:
    """Finds training clips of others that are for validation or tests here.

    Args:
        root: folder of the data set.
        splits: its clips by split.
        others: training clips by folder, as `read_others` gives them.
        jobs: files read at a time.
    """
    held = list(dict.fromkeys(_held_out(root, splits)))
    trained = list(
        dict.fromkeys(
            _Use(folder, clip.path, str(folder / "train.csv"))
            for folder, clips in others.items()
            for clip in clips
        )
    )
    here, there = (_group(uses, lambda use: video_id(use.path)) for uses in (held, trained))
    for video, uses in here.items():
        if video in there:
            detail = f"{shorten(map(str, uses))}; {shorten(map(str, there[video]))}"
            yield Finding("video in other train", video, detail)
    yield from _check_copies(held, trained, jobs)


@dataclass(frozen=True)
class _Use:
    """A clip in a manifest or list."""

    folder: Path
    path: str
    table: str

    def __str__(self) -> str:
        return f"{self.table}, {self.path}"

    @property
    def file(self) -> Path:
        return self.folder / self.path


def _held_out(root: Path, splits: Mapping[str, Sequence[Clip]]) -> Iterator[_Use]:
    """What is validated or tested with."""
    for split in ("valid", "test"):
        yield from (_Use(root, clip.path, f"{split}.csv") for clip in splits.get(split, ()))
    for path in find_lists(root):
        with suppress(ValueError):  # a broken list is a finding of its own
            sources = [source for item in read_test_list(path) for source in item.sources]
            yield from (_Use(root, source.path, f"lists/{path.name}") for source in sources)


def _check_copies(held: Sequence[_Use], trained: Sequence[_Use], jobs: int) -> Iterator[Finding]:
    """Finds the same audio files under names of different videos."""
    files = [{use.file for use in uses} for uses in (held, trained)]
    digests = file_digests(*files, jobs)
    copies = _group((use for use in trained if use.file in digests), lambda use: digests[use.file])
    for file, uses in _group(held, lambda use: use.file).items():
        video = video_id(uses[0].path)
        same = [u for u in copies.get(digests.get(file, ""), ()) if video_id(u.path) != video]
        if same:
            detail = f"the same as {shorten(map(str, same))}"
            yield Finding("content in other train", str(uses[0]), detail)


def _group(uses: Iterable[_Use], key: Callable[[_Use], K]) -> dict[K, list[_Use]]:
    groups: dict[K, list[_Use]] = {}
    for use in uses:
        groups.setdefault(key(use), []).append(use)
    return groups
