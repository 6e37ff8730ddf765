"""Manifests of what is there of a downloaded set."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from ...utils.audio_file import UnreadableAudioError, audio_seconds
from ..manifest import Clip, write_manifest
from .clips import Entry, read_clips
from .errors import disk_watch
from .ledger import Row, read_ledger


def write_manifests(root: str | Path, *, every_caption: bool = False) -> dict[str, Path]:
    """Writes a manifest for each split that `clips.csv` has: train.csv, valid.csv, test.csv.

    Stage 1 of the recipes for full sets. It lists the clips that are there now; which split a clip
    belongs to does not depend on which others are there.

    Args:
        root: folder of the set, where `read_set` has put `clips.csv`.
        every_caption: a row for each caption of a clip, instead of one with its first caption.

    Returns:
        The manifest of each split.

    Raises:
        FileNotFoundError: when there is no clips.csv.
        ValueError: when clips.csv or the ledger is broken.

    Examples:
        >>> import tempfile
        >>> from .clips import write_clips
        >>> root = tempfile.mkdtemp()
        >>> write_clips(root, [Entry("audio/a.flac", "a", 0.0, 10.0, "rain", (), "test")])
        >>> sorted(write_manifests(root))  # of a clip that is not there
        ['test']
    """
    root, rows = Path(root), read_ledger(root)
    splits: dict[str, list[Clip]] = {}
    for entry in tqdm(read_clips(root), desc="manifests", unit="clip", leave=False, disable=None):
        clips = splits.setdefault(entry.split, [])
        seconds = _seconds(root, entry, rows.get(entry.path))
        if seconds:
            captions = (entry.captions or ("",)) if every_caption else entry.captions[:1] or ("",)
            clips += [
                Clip(entry.path, entry.label, caption, round(seconds, 2), entry.split)
                for caption in captions
            ]
    with disk_watch(root):
        for split, clips in splits.items():
            write_manifest(root / f"{split}.csv", clips)
    return {split: root / f"{split}.csv" for split in splits}


def _seconds(root: Path, entry: Entry, row: Row | None) -> float:
    """The length of a clip's file, 0 when it is not there."""
    path = root / entry.path
    if row and row.status == "ok":
        return row.seconds if path.is_file() else 0.0
    try:
        return audio_seconds(path)
    except UnreadableAudioError:
        return 0.0
