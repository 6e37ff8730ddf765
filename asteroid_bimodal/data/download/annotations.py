"""The published annotation files of MUSIC, VGGSound and AudioCaps: what each row says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from ...utils.files import safe_name
from .clips import Entry, Listing, merge, read_id, read_number

CLIP_SECONDS = 10.0  # of VGGSound and AudioCaps
MUSIC_SPLITS = {"test": 0.15, "valid": 0.10}  # shares of each instrument's videos; the rest trains
VGGSOUND_VALID = 0.02  # share of the training videos
_VGGSOUND_COLUMNS = "id, start, label, split"
_AUDIOCAPS_COLUMNS = ("youtube_id", "start_time", "caption")
_AUDIOCAPS_SPLITS = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}


def list_clips(name: str, texts: Mapping[str, str], *, seed: int = 0) -> Listing:
    """Lists the clips of a set from its annotation files, by name; `seed` draws MUSIC's split."""
    for file, text in texts.items():
        if not text.strip():
            raise ValueError(f"{file} is empty. Fetch it again, or leave it out of --annotations.")
    readers = {
        "music": lambda: _read_music(texts, seed),
        "vggsound": lambda: _read_vggsound(texts),
        "audiocaps": lambda: (row for item in texts.items() for row in _read_audiocaps(*item)),
    }
    try:
        return merge(readers[name]())
    except csv.Error as error:
        raise ValueError(
            f"{', '.join(texts)}: this is not CSV: {error}. A quote may not be closed."
        ) from error


def _read_music(texts: Mapping[str, str], seed: int) -> Iterator[Entry]:
    """A JSON object, {"videos": {instrument: [id, …]}}; for duets the key names two of them."""
    videos: dict[str, list[str]] = {}
    for file, text in texts.items():
        for key, ids in _videos(file, text).items():
            videos.setdefault(key, []).extend(read_id(video, f"{file}, {key}") for video in ids)
    for key, ids in videos.items():
        players = [safe_name(player).replace("_", " ") for player in key.split()]
        label = " ".join(players) if len(players) == 1 else ""
        captions = () if label else (" and ".join(players),)
        splits = _split_videos(ids, label, seed) if label else dict.fromkeys(ids, "duet")
        folder = f"{'solo' if label else 'duet'}/audio/{safe_name(' '.join(players))}"
        # In the order of the deal: pinned lists are drawn from it.
        for video in sorted(ids, key=list(splits).index):
            path = f"{folder}/{video}.wav"
            yield Entry(path, video, 0.0, None, label, captions, splits[video])


def _videos(file: str, text: str) -> dict[str, list[str]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {error.lineno}: this is not JSON: {error.msg}.") from error
    videos = content.get("videos") if isinstance(content, dict) else None
    if not isinstance(videos, dict) or not all(
        isinstance(ids, list) and all(isinstance(video, str) for video in ids)
        for ids in videos.values()
    ):
        found = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f'{file} is not {{"videos": {{instrument: [id, …]}}}}: it holds {found or "nothing"}.'
        )
    return videos


def _split_videos(ids: list[str], label: str, seed: int) -> dict[str, str]:
    """Deals an instrument's videos at random, the same for everybody who has the same list."""
    ids = sorted(set(ids))
    random.Random(f"{seed}/{label}").shuffle(ids)
    num_test = round(MUSIC_SPLITS["test"] * len(ids))
    num_valid = round(MUSIC_SPLITS["valid"] * len(ids))
    names = ["test"] * num_test + ["valid"] * num_valid
    return dict(zip(ids, names + ["train"] * (len(ids) - len(names)), strict=True))


def _read_vggsound(texts: Mapping[str, str]) -> Iterator[Entry]:
    """Rows of id, start, label, split, or of a file's name and its label, as in test.csv."""
    # A list of the classes (stat.csv: label, count, group) beside them is checked against.
    tables = {file: _table(text) for file, text in texts.items()}
    classes = {file: rows for file, rows in tables.items() if _is_class_list(rows)}
    known = {row[0] for rows in classes.values() for _, row in rows}
    if len(classes) == len(tables):
        raise ValueError(
            f"{', '.join(classes)}: 3 columns are a list of classes, or of clips without their "
            f"split. Give vggsound.csv or test.csv, with rows of {_VGGSOUND_COLUMNS}."
        )
    for file in (file for file in tables if file not in classes):
        for number, row in tables[file]:
            entry = _vggsound_row(row, f"{file}, line {number}")
            if known and entry.label not in known:
                raise ValueError(
                    f"{file}, line {number}: {entry.label!r} is no label of {', '.join(classes)}."
                )
            yield entry


def _table(text: str) -> list[tuple[int, list[str]]]:
    """Rows with their numbers, without empty ones and a header."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    header = rows and {"label", "class"} & {cell.lower() for cell in rows[0][1]}
    return rows[1:] if header else rows


def _is_class_list(rows: list[tuple[int, list[str]]]) -> bool:
    return bool(rows) and all(len(row) == 3 and row[1].isdigit() for _, row in rows)


def _vggsound_row(row: list[str], place: str) -> Entry:
    name, _, kind = row[0].rpartition(".")
    if len(row) >= 2 and name and kind in ("mp4", "wav", "flac"):
        video, _, start = name.rpartition("_")
        label, split = ",".join(row[1:]), "test"  # a label with a comma may lack its quotes
    elif len(row) >= 4 and row[-1] in ("train", "test"):
        video, start, *labels, split = row
        label = ",".join(labels)
    else:
        raise ValueError(
            f"{place}: {', '.join(row)[:80]} ({len(row)} columns) is neither the "
            f"{_VGGSOUND_COLUMNS} (train or test) of a clip nor its file and label."
        )
    video, second = read_id(video, place), read_number(start, place)
    if split == "train" and _share_of(video) < VGGSOUND_VALID:
        split = "valid"
    label = " ".join(label.replace(",", ", ").split())
    return Entry(_clip_path(video, second), video, second, CLIP_SECONDS, label, (), split)


def _share_of(video: str) -> float:
    """A number from 0 to 1 that is always the same for a video, whatever else is listed."""
    return int(hashlib.sha256(video.encode()).hexdigest()[:8], 16) / 16**8


def _read_audiocaps(file: str, text: str) -> Iterator[Entry]:
    """Rows under the header audiocap_id, youtube_id, start_time, caption; the name is the split."""
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    found = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = found
    if missing := [name for name in _AUDIOCAPS_COLUMNS if name not in found]:
        raise ValueError(
            f"{file} lacks the columns {', '.join(missing)} among {', '.join(found)[:80]}."
        )
    stem = PurePath(file).stem.lower()
    split = next((ours for word, ours in _AUDIOCAPS_SPLITS.items() if stem.endswith(word)), None)
    if split is None:
        raise ValueError(
            f"The split of {file} is unknown: files of AudioCaps are named train.csv, val.csv or "
            "test.csv."
        )
    for row in reader:
        place = f"{file}, line {reader.line_num}"
        if not all(row[name] for name in _AUDIOCAPS_COLUMNS):
            raise ValueError(f"{place}: one of {', '.join(_AUDIOCAPS_COLUMNS)} is empty.")
        video, start = read_id(row["youtube_id"], place), read_number(row["start_time"], place)
        captions = (" ".join(row["caption"].split()),)
        yield Entry(_clip_path(video, start), video, start, CLIP_SECONDS, "", captions, split)


def _clip_path(video: str, start: float) -> str:
    return f"audio/{video}_{start:06g}.flac"
