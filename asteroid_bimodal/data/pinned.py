"""Fixed evaluation lists: test mixtures drawn once, pinned by the digest in the list's name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from ..utils.audio_file import UnreadableAudioError, audio_seconds
from .batches import Skipped
from .crops import ATTEMPTS, crop_start, draw_one, read_audible
from .manifest import Clip, by_label, csv_bytes, read_rows, write_rows


@dataclass(frozen=True)
class PinnedSource:
    """One source of a test mixture: which clip, from where, how loud."""

    path: str
    label: str
    start: float
    gain: float


_COLUMNS = ["item", *(field.name for field in fields(PinnedSource))]


@dataclass(frozen=True)
class PinnedMixture:
    """One test item: the sources that are added."""

    item: int
    sources: tuple[PinnedSource, ...]


@dataclass(frozen=True)
class DrawnTestList:
    """Drawn test mixtures, and the clips that were passed over, once for each draw."""

    mixtures: list[PinnedMixture]
    skipped: list[Skipped]


def draw_test_list(
    clips: Sequence[Clip],
    root: str | Path,
    *,
    num_items: int,
    num_sources: int,
    sample_rate: int,
    num_samples: int,
    seed: int,
    center_crop: bool = False,
    passed_over: Sequence[Skipped] = (),
) -> DrawnTestList:
    """Draws test mixtures of distinct labels from audible crops.

    Args:
        clips: the test clips.
        root: folder that their paths are relative to.
        num_items: how many mixtures.
        num_sources: sources in each.
        sample_rate: at which loudness is judged, in hertz.
        num_samples: length of an item.
        seed: random seed.
        center_crop: whether crops come from the middle of their clips instead of anywhere.
        passed_over: clips that were left out of `clips`, to be reported with those that cannot be
            read, in place of which others were drawn.

    Raises:
        ValueError: when there are too few labels or too little audible audio.
    """
    generator = torch.Generator().manual_seed(seed)
    labelled = by_label(clips)
    mixtures: list[PinnedMixture] = []
    skipped = list(passed_over)
    if len(labelled) < num_sources:
        raise ValueError(
            f"Expected {num_sources} labels or more, received {len(labelled)}.{_last(skipped)}"
        )
    for _ in range(ATTEMPTS * num_items):
        if len(mixtures) == num_items:
            break
        sources = []
        for choice in torch.randperm(len(labelled), generator=generator)[:num_sources].tolist():
            clip = draw_one(list(labelled.values())[choice], generator)
            place = 0.5 if center_crop else float(torch.rand(1, generator=generator))
            try:
                source = _audible_source(clip, Path(root), place, num_samples, sample_rate)
                sources += [source] if source else []
            except UnreadableAudioError as error:
                skipped.append(Skipped(clip.path, str(error)))
        if len(sources) == num_sources:
            mixtures.append(PinnedMixture(len(mixtures), tuple(sources)))
    if len(mixtures) < num_items:
        raise ValueError(
            f"Expected audible crops for {num_items} mixtures, found {len(mixtures)}: "
            f"the test clips are nearly silent or cannot be used.{_last(skipped)}"
        )
    return DrawnTestList(mixtures, skipped)


def _last(skipped: Sequence[Skipped]) -> str:
    return f" Last problem: {skipped[-1].reason}" if skipped else ""


def _audible_source(
    clip: Clip, root: Path, place: float, num_samples: int, sample_rate: int
) -> PinnedSource | None:
    """The crop at a place of a clip, from 0 to 1; None when it is silent."""
    seconds = audio_seconds(root / clip.path)
    start = round(crop_start(seconds, num_samples / sample_rate, place), 3)
    crop = read_audible(root / clip.path, start, num_samples, sample_rate)
    return None if crop is None else PinnedSource(clip.path, clip.label, start, 1.0)


def write_test_list(folder: str | Path, name: str, mixtures: Iterable[PinnedMixture]) -> Path:
    """Writes `<folder>/<name>_<digest>.csv`, a list of test mixtures, and returns its path.

    The digest of the content (SHA-256, first 12 digits) pins the list: two results that name the
    same file were measured on the same mixtures. A name is, for example, "test_2src_seed0".
    """
    rows = [
        {"item": mixture.item, **asdict(source)}
        for mixture in mixtures
        for source in mixture.sources
    ]
    digest = hashlib.sha256(csv_bytes(_COLUMNS, rows)).hexdigest()[:12]
    path = Path(folder) / f"{name}_{digest}.csv"
    write_rows(path, _COLUMNS, rows)
    return path


def read_test_list(path: str | Path) -> list[PinnedMixture]:
    """Reads a list written by `write_test_list` and checks it against the digest in its name.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when columns are missing or the content is not what the name says.
    """
    path = Path(path)
    again = "Delete it and run stage 1 again."
    rows = read_rows(path, _COLUMNS, again if path.is_file() else "Run stage 1.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    if not path.stem.endswith(digest):
        raise ValueError(
            f"{path.name} was changed: expected the digest at the end of its name, received "
            f"{digest}. {again}"
        )
    items: dict[int, list[PinnedSource]] = {}
    for row in rows:
        source = PinnedSource(row["path"], row["label"], float(row["start"]), float(row["gain"]))
        items.setdefault(int(row["item"]), []).append(source)
    return [PinnedMixture(item, tuple(sources)) for item, sources in items.items()]
