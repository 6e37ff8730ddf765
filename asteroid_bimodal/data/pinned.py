"""Test mixtures pinned by a digest: drawn once, the same for everyone who names the same list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from .audio import UnreadableAudioError, audio_seconds, read_crop
from .batches import Skipped
from .manifest import Clip, by_label, csv_text, read_rows, write_rows

QUIET = 10 ** (-45 / 20)  # RMS under which a crop counts as silent and is drawn again
ATTEMPTS = 20  # draws before a crop is given up


@dataclass(frozen=True)
class PinnedSource:
    """One source of a test mixture: which clip, from where, how loud."""

    path: str
    label: str
    start: float
    gain: float


@dataclass(frozen=True)
class PinnedMixture:
    """One test item: the sources that are added."""

    item: int
    sources: tuple[PinnedSource, ...]


def draw_test_list(
    clips: Sequence[Clip],
    root: str | Path,
    *,
    num_items: int,
    num_sources: int,
    sample_rate: int,
    num_samples: int,
    seed: int,
    centred: bool = False,
    skipped: list[Skipped] | None = None,
) -> list[PinnedMixture]:
    """Draws test mixtures of distinct labels from audible crops.

    Args:
        clips: the test clips.
        root: folder that their paths are relative to.
        num_items: how many mixtures.
        num_sources: sources in each.
        sample_rate: at which loudness is judged, in hertz.
        num_samples: length of an item.
        seed: of the draws.
        centred: whether crops come from the middle of their clips instead of anywhere.
        skipped: what was passed over already; gets a row for each draw of a clip that cannot be
            read; others are drawn instead.

    Raises:
        ValueError: when there are too few labels or too little audible audio.
    """
    skipped = [] if skipped is None else skipped
    generator = torch.Generator().manual_seed(seed)
    labelled = by_label(clips)
    if len(labelled) < num_sources:
        raise ValueError(
            f"Expected {num_sources} labels or more, received {len(labelled)}." + _last(skipped)
        )
    mixtures: list[PinnedMixture] = []
    for _ in range(ATTEMPTS * num_items):
        if len(mixtures) == num_items:
            return mixtures
        sources = []
        for choice in torch.randperm(len(labelled), generator=generator)[:num_sources].tolist():
            same = list(labelled.values())[choice]
            clip = same[int(torch.randint(len(same), (1,), generator=generator))]
            place = 0.5 if centred else float(torch.rand(1, generator=generator))
            try:
                source = _audible(clip, Path(root), place, num_samples, sample_rate)
                sources += [source] if source else []
            except UnreadableAudioError as error:
                skipped.append(Skipped(clip.path, str(error)))
        if len(sources) == num_sources:
            mixtures.append(PinnedMixture(len(mixtures), tuple(sources)))
    raise ValueError(
        f"Expected audible crops for {num_items} mixtures, found {len(mixtures)}: "
        f"the test clips are nearly silent or cannot be used.{_last(skipped)}"
    )


def _last(skipped: Sequence[Skipped]) -> str:
    return f" Last problem: {skipped[-1].reason}" if skipped else ""


def _audible(
    clip: Clip, root: Path, place: float, num_samples: int, sample_rate: int
) -> PinnedSource | None:
    """The crop at a place of a clip, from 0 to 1; None when it is silent."""
    room = max(0.0, audio_seconds(root / clip.path) - num_samples / sample_rate)
    start = round(room * place, 3)
    crop = read_crop(root / clip.path, start, num_samples, sample_rate)
    loud = crop.square().mean().sqrt() > QUIET
    return PinnedSource(clip.path, clip.label, start, 1.0) if loud else None


def write_test_list(folder: str | Path, name: str, mixtures: Iterable[PinnedMixture]) -> Path:
    """Writes a list of test mixtures, with the digest of its content in its name.

    The digest (SHA-256, first 12 digits) pins the list: two results that name the same file were
    measured on the same mixtures.

    Args:
        folder: where the list goes.
        name: what comes before the digest, for example "test_2src_seed0".
        mixtures: the items.

    Returns:
        The path of the list, `<folder>/<name>_<digest>.csv`.
    """
    columns = ["item", *(field.name for field in fields(PinnedSource))]
    rows = [
        {"item": mixture.item, **asdict(source)}
        for mixture in mixtures
        for source in mixture.sources
    ]
    digest = hashlib.sha256(csv_text(columns, rows).encode()).hexdigest()[:12]
    path = Path(folder) / f"{name}_{digest}.csv"
    write_rows(path, columns, rows)
    return path


def read_test_list(path: str | Path) -> list[PinnedMixture]:
    """Reads a list of test mixtures and checks it against the digest in its name.

    Args:
        path: as written by `write_test_list`.

    Returns:
        The items, in order.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when columns are missing or the content is not what the name says.
    """
    path = Path(path)
    columns = ["item", *(field.name for field in fields(PinnedSource))]
    again = "Delete it and run stage 1 again."
    rows = read_rows(path, columns, again if path.is_file() else "Run stage 1.")
    digest = hashlib.sha256(path.read_bytes().decode("utf-8").encode()).hexdigest()[:12]
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
