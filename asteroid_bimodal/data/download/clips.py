"""The clips of a set, as its annotation files list them, in one form for all sets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..manifest import read_rows, write_rows

CLIPS = "clips.csv"
_COLUMNS = ["path", "id", "start", "seconds", "label", "caption", "split"]


@dataclass(frozen=True)
class Entry:
    """One clip to fetch.

    Attributes:
        path: where its audio belongs, relative to the folder of the set.
        id: of its video.
        start: where it begins in the video, in seconds.
        seconds: its length, None for all of the video.
        label: its class, "" when it has only captions.
        captions: what people say of it.
        split: train, valid, test, or duet for MUSIC's duets.
    """

    path: str
    id: str
    start: float
    seconds: float | None
    label: str
    captions: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class Listing:
    """The clips of a set.

    Attributes:
        entries: each clip once.
        num_rows: rows that the annotation files have.
        conflicts: clips that rows disagree about, as `id: what they say`.
    """

    entries: list[Entry]
    num_rows: int
    conflicts: list[str]

    def __str__(self) -> str:
        text = f"{len(self.entries)} clips listed"
        if self.num_rows > len(self.entries):
            repeated = self.num_rows - len(self.entries)
            text += f" ({repeated} of {self.num_rows} rows repeat a clip, which is fetched once)"
        if self.conflicts:
            text += f"; rows disagree about {len(self.conflicts)}: {', '.join(self.conflicts[:3])}"
        return text


def merge(rows: Iterable[Entry]) -> Listing:
    """Joins the rows that are about the same seconds of the same video."""
    # All captions are kept. Of several labels the first counts, and a clip that some row puts into
    # the test belongs to no other split.
    entries: dict[tuple[str, float], Entry] = {}
    conflicts: dict[str, None] = {}
    num_rows = 0
    for row in rows:
        num_rows += 1
        first = entries.setdefault((row.id, row.start), row)
        if first is row:
            continue
        if (first.label, first.split) != (row.label, row.split):
            ours, theirs = first.label or first.split, row.label or row.split
            if ours == theirs:
                ours, theirs = first.split, row.split
            conflicts[f"{row.id}: {ours} and {theirs}"] = None
        entries[row.id, row.start] = replace(
            first,
            captions=tuple(dict.fromkeys([*first.captions, *row.captions])),
            split=_joint_split(first, row),
        )
    return Listing(list(entries.values()), num_rows, list(conflicts))


def write_clips(root: str | Path, entries: Iterable[Entry]) -> None:
    """Writes `<root>/clips.csv`, a row for each caption; clips that it already lists stay."""
    # They keep their split, too, unless they now belong to the test: pinned lists are drawn from
    # it, and another seed or list of videos must not train on their clips.
    known = {entry.path: entry for entry in read_clips(root)} if _file(root).is_file() else {}
    for entry in entries:
        split = _joint_split(known.get(entry.path, entry), entry)
        known[entry.path] = replace(entry, split=split)
    rows = [
        {name: getattr(entry, name, caption) for name in _COLUMNS}  # no entry has a `caption`
        for entry in known.values()
        for caption in entry.captions or ("",)
    ]
    write_rows(_file(root), _COLUMNS, rows)


def read_clips(root: str | Path) -> list[Entry]:
    """Reads `<root>/clips.csv`."""
    entries: dict[str, Entry] = {}
    for number, row in enumerate(read_rows(_file(root), _COLUMNS), start=2):
        place = f"{_file(root)}, line {number}"
        seconds = read_number(row["seconds"], place) if row["seconds"] else None
        captions = (row["caption"],) if row["caption"] else ()
        start = read_number(row["start"], place)
        entry = Entry(row["path"], row["id"], start, seconds, row["label"], captions, row["split"])
        first = entries.setdefault(entry.path, entry)
        if first is not entry:
            entries[entry.path] = replace(first, captions=first.captions + captions)
    return list(entries.values())


def read_number(text: str, place: str) -> float:
    """Reads a number of seconds, a day at most; `place` is its file and line, for the message."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 86_400:
        raise ValueError(f"{place}: {text!r} is not a number of seconds.")
    return number


def read_id(text: str, place: str) -> str:
    """Reads the id of a video, which becomes a part of file names."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError(f"{place}: {text!r} is not the id of a video (letters, digits, - and _).")
    return text


def _joint_split(first: Entry, later: Entry) -> str:
    return "test" if "test" in (first.split, later.split) else first.split


def _file(root: str | Path) -> Path:
    return Path(root) / CLIPS
