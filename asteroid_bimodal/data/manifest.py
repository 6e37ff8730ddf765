"""Manifests: CSV files with the clips of a data set."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..utils.files import atomic_write


@dataclass(frozen=True)
class Clip:
    """One recording of a data set: a row of a manifest.

    Attributes:
        path: audio file, relative to the manifest's folder.
        label: class of a single-source recording, "" when it has only a caption.
        caption: natural caption, "" when it has only a label.
        seconds: length.
        split: train, valid or test.
    """

    path: str
    label: str
    caption: str
    seconds: float
    split: str


def write_manifest(path: str | Path, clips: Iterable[Clip]) -> None:
    """Writes a manifest atomically."""
    write_rows(path, [field.name for field in fields(Clip)], [asdict(clip) for clip in clips])


def read_manifest(path: str | Path) -> list[Clip]:
    """Reads the clips of a manifest, in order.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when columns are missing or a row is broken.

    Examples:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.csv"
        >>> write_manifest(path, [Clip("a.wav", "violin", "", 20.5, "train")])
        >>> read_manifest(path)[0].label
        'violin'
    """
    rows = read_rows(path, [field.name for field in fields(Clip)])
    clips = []
    for number, row in enumerate(rows, start=2):
        try:
            seconds = _seconds(row["seconds"])
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: {row['seconds']!r} is no number of seconds. Run stage 0, "
                "which writes manifests."
            ) from error
        audio = _slashes(row["path"], Path(path).parent)
        clips.append(Clip(audio, row["label"], row["caption"], seconds, row["split"]))
    if not clips:
        raise ValueError(
            f"{path} lists no clip: none of the split could be downloaded. Run stage 0, which "
            "tries again and writes the manifest of what is there."
        )
    return clips


def _slashes(path: str, folder: Path) -> str:
    """A path that may have been written on Windows, as this system writes it."""
    if os.sep == "\\" or "\\" not in path or (folder / path).exists():
        return path
    return path.replace("\\", "/")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise ValueError(text)
    return seconds


def csv_bytes(columns: list[str], rows: list[dict]) -> bytes:
    """Rows, values by column, as CSV that is the same on every system."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8", "surrogateescape")  # a path may be any bytes


def write_rows(path: str | Path, columns: list[str], rows: list[dict]) -> None:
    """Writes rows, values by column, as CSV, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(csv_bytes(columns, rows))


def read_rows(
    path: str | Path, columns: list[str], remedy: str = "Run stage 0."
) -> list[dict[str, str]]:
    """Reads columns of a CSV file in UTF-8, or UTF-16 with its mark; others are left out.

    Only the column `path` may hold bytes that are no text, as file names may.

    Args:
        path: the file.
        columns: required names.
        remedy: how to get a valid file, for messages.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a column is missing, or it is not CSV in UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. {remedy}")
    try:
        reader = csv.DictReader(io.StringIO(_text(path.read_bytes()), newline=""))
        missing = [name for name in columns if name not in (reader.fieldnames or [])]
        # A row that is too short lacks cells: they count as empty.
        rows = [{name: row.get(name) or "" for name in columns} for row in reader]
        for row in rows:
            "".join(cell for name, cell in row.items() if name != "path").encode()
    except (csv.Error, UnicodeError) as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8: {error}. {remedy}") from error
    if missing:
        raise ValueError(
            f"{path}: expected the columns {', '.join(columns)}; missing: {', '.join(missing)}. "
            f"{remedy}"
        )
    return rows


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig", "surrogateescape")


def by_label(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Groups clips by label, labels in alphabetical order."""
    grouped: dict[str, list[Clip]] = {}
    for clip in clips:
        grouped.setdefault(clip.label, []).append(clip)
    return dict(sorted(grouped.items()))


def take_share(clips: Sequence[Clip], share: Sequence[float]) -> list[Clip]:
    """Takes a part of each label's clips: always the same clips for the same share.

    Args:
        clips: labelled clips.
        share: begin and end of the part, from 0 to 1, in a pseudo-random order of each label's
            clips. Parts that only touch have no clip in common; every part that is not empty has a
            clip of each label, if it can.

    Raises:
        ValueError: for a share that does not begin before it ends, between 0 and 1.

    Examples:
        >>> clips = [Clip(f"{n}.wav", "violin", "", 20.0, "train") for n in range(8)]
        >>> some, rest = take_share(clips, (0.0, 0.25)), take_share(clips, (0.25, 1.0))
        >>> len(some), len(rest), set(some) & set(rest)
        (2, 6, set())
    """
    begin, end = share
    if not 0 <= begin < end <= 1:
        raise ValueError(
            f"Expected a share such as [0.0, 0.05], from 0 to 1, received {list(share)}."
        )
    taken: set[Clip] = set()
    for group in by_label(clips).values():
        ordered = sorted(group, key=lambda clip: hashlib.sha256(os.fsencode(clip.path)).digest())
        taken.update(ordered[math.ceil(begin * len(group)) : math.ceil(end * len(group))])
    return [clip for clip in clips if clip in taken]
