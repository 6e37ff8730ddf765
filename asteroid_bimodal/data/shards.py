"""Shards: the clips of a data set as tar files, for sets too large for one disk.

    train-1a2b3c4d-000000.tar, train-1a2b3c4d-000001.tar, …
        000000000.json          the clip's row of the manifest
        000000000.flac          its audio file as it is
        000000000.frame00000.jpg, …    its frames, where they were asked for

The clips are in random order. The digits in the names are a digest of the rows and their order:
shards that share them belong together. Reading and writing is `webdataset`'s.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import torch
from tqdm import tqdm

from ..utils.audio_file import UnreadableAudioError, audio_seconds
from ..utils.files import atomic_write
from ..utils.inputs import AUDIO_SUFFIXES
from ..utils.threads import cancelled_pool
from .batches import Skipped
from .crops import StoredClip
from .frames import frames_of
from .manifest import Clip, read_manifest

_FRAME = "frame"  # before the number, in the name of a member
_ADDRESS = re.compile(r"\b(https?|s3|gs|hf)://[\w.-]+(:\d+)?/")


@dataclass(frozen=True)
class WrittenShards:
    """The shards of a split, old ones included, how many clips they have, and unreadable clips."""

    paths: list[Path]
    num_clips: int
    skipped: list[Skipped]


def write_shards(
    root: str | Path,
    out: str | Path,
    split: str = "train",
    clips_per_shard: int = 1000,
    seed: int = 0,
    *,
    frames: bool = False,
    jobs: int = 1,
) -> WrittenShards:
    """Writes the clips of a split as tar files, each whole or not at all.

    A run that was interrupted goes on: shards that are missing, or are not whole, are written.

    Args:
        root: folder of the data set, with `<split>.csv`.
        out: folder of the shards.
        split: train, valid or test.
        clips_per_shard: a few hundred MB in each shard are a good size.
        seed: random seed of the order of the clips.
        frames: add the frames of each clip, see `data.frames`.
        jobs: how many shards, and headers, are worked on at a time.

    Raises:
        ValueError: when no clip can be read, when one has no frames, and when the folder holds
            other shards of the split.
    """
    if clips_per_shard < 1:
        raise ValueError(f"Expected one clip per shard or more, received {clips_per_shard}.")
    import_webdataset()
    root, out = Path(root), Path(out)
    clips, skipped = _usable(read_manifest(root / f"{split}.csv"), root, jobs)
    if not clips:
        raise ValueError(f"No clip of {split} in {root} can be read: {skipped[0].reason}")
    order = torch.randperm(len(clips), generator=torch.Generator().manual_seed(seed)).tolist()
    clips = [clips[index] for index in order]
    rows = [_json(asdict(clip)) for clip in clips]
    kind = [b"%d" % clips_per_shard, *([b"frames"] if frames else [])]
    digest = hashlib.sha256(b"\n".join([*kind, *rows])).hexdigest()[:8]
    starts = range(0, len(clips), clips_per_shard)
    paths = [out / f"{split}-{digest}-{number:06d}.tar" for number in range(len(starts))]
    others = sorted(set(out.glob(f"{split}-*.tar")) - set(paths))
    if others:
        raise ValueError(
            f"{out} holds shards of other clips or another order, such as {others[0].name}. "
            "Delete them or choose another folder."
        )

    def write(path: Path, start: int) -> None:
        numbers = range(start, min(start + clips_per_shard, len(clips)))
        members = [
            _members(number, rows[number], root / clips[number].path, frames) for number in numbers
        ]
        if not _is_whole(path, members):
            _write(path, members)

    with cancelled_pool(jobs) as pool:
        done = pool.map(write, paths, starts)
        list(tqdm(done, total=len(paths), desc="writing shards", unit="shard", disable=None))
    return WrittenShards(paths, len(clips), skipped)


def _members(number: int, row: bytes, audio: Path, frames: bool) -> dict[str, bytes | Path]:
    """What a shard has of a clip: content, or the file that has it, by the name of the member."""
    found: dict[str, bytes | Path] = {"json": row, audio.suffix.lower().lstrip("."): audio}
    for place, frame in enumerate(frames_of(audio) if frames else ()):
        found[f"{_FRAME}{place:05d}{frame.suffix.lower()}"] = frame
    return {f"{number:09d}.{name}": content for name, content in found.items()}


def _is_whole(path: Path, members: Sequence[dict[str, bytes | Path]]) -> bool:
    """Whether a shard is there with all members, of the sizes that they have; reads no content."""
    expected = {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for sample in members
        for name, content in sample.items()
    }
    try:
        with tarfile.open(path, "r:") as tar:
            return {member.name: member.size for member in tar} == expected
    except (OSError, tarfile.TarError):
        return False


def _write(path: Path, members: Sequence[dict[str, bytes | Path]]) -> None:
    writer = import_webdataset().TarWriter
    with atomic_write(path) as temporary, writer(str(temporary), mtime=0) as tar:
        for sample in members:
            content = {
                name.split(".", 1)[1]: part if isinstance(part, bytes) else part.read_bytes()
                for name, part in sample.items()
            }
            tar.write({"__key__": next(iter(sample)).split(".")[0], **content})


def _json(row: dict) -> bytes:
    """As JSON; bytes of a path that are no text become escapes."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _usable(clips: Sequence[Clip], root: Path, jobs: int) -> tuple[list[Clip], list[Skipped]]:
    """Splits clips into those with a readable header and others."""

    def fault(clip: Clip) -> Skipped | None:
        try:
            audio_seconds(root / clip.path)
        except UnreadableAudioError as error:
            return Skipped(clip.path, str(error))
        return None

    with cancelled_pool(jobs) as pool:
        found = tqdm(pool.map(fault, clips), total=len(clips), desc="reading headers", disable=None)
        faults = list(found)
    usable = [clip for clip, skip in zip(clips, faults, strict=True) if skip is None]
    return usable, [skip for skip in faults if skip is not None]


def find_shards(pattern: str) -> list[str]:
    """Lists shards.

    Args:
        pattern: a path with `*` or with braces, `train-1a2b3c4d-{000000..000119}.tar`, or addresses
            that webdataset opens, with braces.

    Raises:
        FileNotFoundError: when there are none, or one of them is not there.

    Examples:
        >>> find_shards("https://example.org/train-{0..2}.tar")[-1]
        'https://example.org/train-2.tar'
    """
    expanded = import_webdataset().shardlists.expand_urls(pattern)
    if is_address(pattern):
        return expanded
    found: list[str] = []
    for name in expanded:
        matches = sorted(glob.glob(name))
        if not matches:
            raise FileNotFoundError(
                f"There are no shards at {name}. Write them by `asteroid-bimodal shards`."
            )
        found += map(os.path.abspath, matches)  # webdataset runs a file of the name `pipe:…`
    return found


def is_address(pattern: str) -> bool:
    """Whether a pattern is an address such as `https://…` or `pipe:…` and not a path."""
    return "://" in pattern or pattern.startswith("pipe:")


def runs_command(pattern: str) -> bool:
    """Whether a pattern may stand for the output of a shell's command, as `pipe:…` does.

    Examples:
        >>> runs_command("pipe:cat train.tar"), runs_command("https://example.org/{0..2}.tar")
        (True, False)
    """
    # Braces and `::` can hide the word: a colon that is no part of an address is enough.
    return ":" in _ADDRESS.sub("", pattern)


def read_shards(shards: Iterable[str]) -> Iterator[StoredClip | Skipped]:
    """Reads the clips of shards, listed by `find_shards`, in their order.

    Yields:
        Clips, and what cannot be used: shards that do not open or break off, members without a row
        or without audio.
    """
    samples_of = import_webdataset().tariterators.tarfile_samples
    for shard in shards:
        name = shard.rsplit("/", 1)[-1]
        broken: list[Skipped] = []

        def note(error: Exception, name: str = name, broken: list[Skipped] = broken) -> bool:
            broken.append(Skipped(name, f"Cannot read on in the shard: {_reason(error)}"))
            return True  # go on

        for sample in samples_of([{"url": shard}], handler=note):
            yield from broken
            broken.clear()
            yield _parse(sample, name)
        yield from broken


def _parse(sample: dict, shard: str) -> StoredClip | Skipped:
    where = f"{shard}/{sample['__key__']}"
    suffix = next((kind for kind in AUDIO_SUFFIXES if kind[1:] in sample), None)
    if suffix is None or "json" not in sample:
        found = ", ".join(sorted(key for key in sample if not key.startswith("__")))
        return Skipped(where, f"Expected a json and an audio file, received {found}.")
    try:
        row = json.loads(sample["json"])
        clip = Clip(**{**row, "seconds": float(row["seconds"])})
    except (TypeError, KeyError, ValueError) as error:
        return Skipped(where, f"Expected the row of a manifest as JSON: {error}")
    frames = [sample[name] for name in sorted(sample) if name.startswith(_FRAME)]
    return StoredClip(clip, sample[suffix[1:]], f"{where}{suffix}", frames)


def _reason(error: Exception) -> str:
    """Without the addresses of streams that webdataset adds."""
    text = getattr(error, "strerror", None) or str(error.args[0] if error.args else error)
    return text.split(" @ ")[0]


def import_webdataset() -> ModuleType:
    """Returns webdataset, or raises ValueError that says how to install it."""
    try:
        import webdataset
    except ImportError as error:
        raise ValueError(
            "Shards need webdataset, which is not installed: "
            "`pip install 'asteroid-bimodal[shards]'`."
        ) from error
    return webdataset
