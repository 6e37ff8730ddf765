"""Leaks: what is trained on must not be validated or tested with, under whatever name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..manifest import Clip, read_manifest
from ..pinned import PinnedMixture, read_test_list
from ..video_id import video_id
from .files import Probe, file_digests
from .report import Finding, shorten

K = TypeVar("K")
Splits = Mapping[str, Sequence[Clip]]
Lists = Mapping[str, Sequence[PinnedMixture]]


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


def check_videos(root: Path, splits: Splits) -> Iterator[Finding]:
    """Finds videos that are in more than one split."""
    uses = [_Use(root, c.path, f"{split}.csv") for split, clips in splits.items() for c in clips]
    for video, same in _group_by_video(uses).items():
        if len({use.table for use in same}) > 1:
            yield Finding("video in two splits", video, shorten(dict.fromkeys(map(str, same))))


def check_contents(splits: Splits, digests: Mapping[str, str]) -> Iterator[Finding]:
    """Finds files with the same content, by the digests of those that may have doubles."""
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


def read_lists(root: Path) -> tuple[dict[str, list[PinnedMixture]], list[Finding]]:
    """Reads the evaluation lists, by name; broken ones are findings, and empty here."""
    lists, findings = {}, []
    for path in sorted((root / "lists").glob("*.csv")):
        try:
            lists[path.name] = read_test_list(path)
        except ValueError as error:
            lists[path.name] = []
            findings.append(Finding("broken list", f"lists/{path.name}", str(error)))
    return lists, findings


def check_lists(
    root: Path, splits: Splits, lists: Lists, probes: Mapping[str, Probe]
) -> Iterator[Finding]:
    """Finds clips of lists that are trained on, and clips that are not there any more."""
    trained = {video_id(clip.path) for clip in splits.get("train", ())}
    for name, items in lists.items():
        uses: dict[str, list[int]] = {}
        for item in items:
            for source in item.sources:
                uses.setdefault(source.path, []).append(item.item)
        for clip, numbers in uses.items():
            where, used = f"lists/{name}, {clip}", f"items {shorten(numbers)} of {len(items)}"
            if video_id(clip) in trained:
                yield Finding("training clip in list", where, used)
            if not (root / clip).is_file() or probes.get(clip, Probe()).problem == "unreadable":
                yield Finding("clip of list is gone", where, f"{used} cannot be scored")


def read_others(root: Path, others: Sequence[str | Path]) -> dict[Path, list[Clip]]:
    """Reads the training clips of other data sets, by folder."""
    read = {}
    for other in map(Path, others):
        manifest = other / "train.csv"
        if not manifest.is_file():
            raise FileNotFoundError(
                f"{manifest} does not exist. Name the folder of another data set that is trained "
                "on, with the manifest train.csv in it."
            )
        if other.resolve() == root.resolve():
            raise ValueError(
                f"{other} is the data set itself. Name another one: its own splits are compared "
                "in any case."
            )
        read[other] = read_manifest(manifest)
    return read


def check_others(
    root: Path, splits: Splits, lists: Lists, others: Mapping[Path, Sequence[Clip]], jobs: int
) -> Iterator[Finding]:
    """Finds training clips of other data sets that are for validation or tests here."""
    uses = [_Use(root, c.path, f"{s}.csv") for s in ("valid", "test") for c in splits.get(s, ())]
    uses += [
        _Use(root, source.path, f"lists/{name}")
        for name, items in lists.items()
        for item in items
        for source in item.sources
    ]
    held_out = list(dict.fromkeys(uses))
    trained = [_Use(f, c.path, str(f / "train.csv")) for f, clips in others.items() for c in clips]
    trained = list(dict.fromkeys(trained))
    theirs = _group_by_video(trained)
    for video, uses in _group_by_video(held_out).items():
        if video in theirs:
            detail = f"{shorten(uses)}; {shorten(theirs[video])}"
            yield Finding("video in other train", video, detail)
    yield from _check_copies(held_out, trained, jobs)


def _check_copies(
    held_out: Sequence[_Use], trained: Sequence[_Use], jobs: int
) -> Iterator[Finding]:
    """Finds the same audio files under names of different videos."""
    digests = file_digests({u.file for u in held_out}, {u.file for u in trained}, jobs)
    copies = _group((use for use in trained if use.file in digests), lambda use: digests[use.file])
    for file, uses in _group(held_out, lambda use: use.file).items():
        video = video_id(uses[0].path)
        same = [u for u in copies.get(digests.get(file, ""), ()) if video_id(u.path) != video]
        if same:
            yield Finding("content in other train", str(uses[0]), f"the same as {shorten(same)}")


def _group_by_video(uses: Iterable[_Use]) -> dict[str, list[_Use]]:
    return _group(uses, lambda use: video_id(use.path))


def _group(uses: Iterable[_Use], key: Callable[[_Use], K]) -> dict[K, list[_Use]]:
    groups: dict[K, list[_Use]] = {}
    for use in uses:
        groups.setdefault(key(use), []).append(use)
    return groups
