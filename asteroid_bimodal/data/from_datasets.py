"""Data sets of the library `datasets`, as those of the Hugging Face hub, as folders of clips."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.audio_file import UnreadableAudioError, audio_seconds
from ..utils.files import atomic_write
from .manifest import Clip, write_manifest

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


def from_datasets(
    dataset: Dataset | IterableDataset,
    folder: str | Path,
    *,
    audio: str = "audio",
    caption: str = "caption",
    split: str = "train",
) -> Path:
    """Writes clips and captions as a folder that `CaptionedMixtures` and the recipes train on.

    Sound is written as it is stored, at its own rate. Rows without a caption, and with sound that
    cannot be read, are left out; a warning tells how many.

    Args:
        dataset: of the library `datasets`: in memory, on disk, or a stream with an end.
        folder: where to; clips go to `folder/audio/split`.
        audio: the column of sound: audio, or paths of files.
        caption: the column of captions, a text for each clip.
        split: train, valid or test.

    Returns:
        The manifest, `folder/split.csv`.

    Raises:
        ValueError: for columns that are not there, and where no row is left.

    Examples:
        >>> from datasets import load_dataset  # doctest: +SKIP
        >>> clips = load_dataset("user/captioned-sounds", split="train")  # doctest: +SKIP
        >>> from_datasets(clips, "data/sounds", audio="audio", caption="text")  # doctest: +SKIP
        PosixPath('data/sounds/train.csv')
    """
    from datasets import Audio

    missing = [name for name in (audio, caption) if name not in (dataset.column_names or [name])]
    if missing:
        raise ValueError(
            f"The data set has no column {missing[0]!r}, but {', '.join(dataset.column_names)}: "
            "name those of sound and captions by audio= and caption=."
        )
    folder = Path(folder)
    clips: list[Clip] = []
    left_out: list[str] = []
    rows = dataset.select_columns([audio, caption]).cast_column(audio, Audio(decode=False))
    for number, row in enumerate(rows):
        stored, text, name = row[audio] or {}, row[caption], f"row {number}"
        path = f"audio/{split}/{number:06}{Path(stored.get('path') or '').suffix or '.wav'}"
        try:
            if not isinstance(text, str) or not text.strip():
                raise UnreadableAudioError(f"{name} has no caption.")
            content = _content(stored, name)
            seconds = audio_seconds(io.BytesIO(content), name)
        except (UnreadableAudioError, OSError) as error:
            left_out.append(str(error))
            continue
        with atomic_write(folder / path) as temporary:
            temporary.write_bytes(content)
        clips.append(Clip(path, "", " ".join(text.split()), seconds, split))
    if left_out:
        told = f"{len(left_out)} of {len(left_out) + len(clips)} rows are left out. {left_out[0]}"
        if not clips:
            raise ValueError(told)
        warnings.warn(told, stacklevel=2)
    write_manifest(folder / f"{split}.csv", clips)
    return folder / f"{split}.csv"


def _content(stored: dict[str, Any], name: str) -> bytes:
    if stored.get("bytes"):
        return stored["bytes"]
    if not stored.get("path"):
        raise UnreadableAudioError(f"{name} has no sound.")
    return Path(stored["path"]).read_bytes()
