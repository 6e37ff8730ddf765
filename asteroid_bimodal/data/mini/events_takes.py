"""What the miniatures share: numbered takes, and writing those that are missing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from ...utils.files import atomic_write
from ..manifest import Clip, write_manifest


@dataclass(frozen=True)
class Take:
    """One file to render: what a manifest says about it, and the numbers that fix it."""

    clip: Clip
    numbers: tuple[int, ...]


def take_numbers(seed: int, name: str) -> tuple[int, int]:
    """Turns a take's name, such as "separator/train/raining/3", into seeds of a generator.

    Args:
        seed: of the set.
        name: other names give other numbers.
    """
    return seed, zlib.crc32(name.encode())


def take_path(split: str, index: int, numbers: Sequence[int]) -> str:
    """Says where a take goes, relative to the set's folder.

    Args:
        split: train, valid or test.
        index: number of the take.
        numbers: of `take_numbers`.
    """
    return f"audio/{split}{index:04d}_{numbers[1]:08x}.wav"


def write_takes(
    root: str | Path,
    takes: Sequence[Take],
    splits: Sequence[str],
    render: Callable[[Take], NDArray[np.float32]],
    *,
    sample_rate: int,
    num_workers: int,
) -> dict[str, Path]:
    """Renders the files that are missing, and writes the manifests.

    Args:
        root: folder of the set.
        takes: all of the set.
        splits: whose manifests to write.
        render: makes the audio of a take; a function of a module, or a `partial` of one.
        sample_rate: of the files, in hertz.
        num_workers: processes; with 1 it is this one.

    Returns:
        The manifest of each split.

    Raises:
        ValueError: when the folder holds takes of another rate or length.
    """
    root = Path(root)
    missing = [take for take in takes if not (root / take.clip.path).exists()]
    _check_same(root, takes, sample_rate)
    if missing:
        jobs = [(root, take, render, sample_rate) for take in missing]
        with _workers(num_workers) as pool:
            done = pool.map(_write_take, jobs, chunksize=4) if pool else map(_write_take, jobs)
            for _ in tqdm(done, total=len(jobs), desc="rendering", unit="take"):
                pass
    manifests = {split: root / f"{split}.csv" for split in splits}
    for split, path in manifests.items():
        write_manifest(path, [take.clip for take in takes if take.clip.split == split])
    return manifests


def _workers(number: int) -> AbstractContextManager[Executor | None]:
    if number == 1:
        return nullcontext()
    # Forked workers share the soundfont and do not import everything again.
    return ProcessPoolExecutor(number, mp_context=get_context("fork"))


def _check_same(root: Path, takes: Sequence[Take], sample_rate: int) -> None:
    found = next((take for take in takes if (root / take.clip.path).exists()), None)
    if found is None:
        return
    info = soundfile.info(root / found.clip.path)
    if info.samplerate != sample_rate or info.frames != round(found.clip.seconds * sample_rate):
        raise ValueError(
            f"Expected takes of {found.clip.seconds} s at {sample_rate} Hz, found "
            f"{root / found.clip.path} with {info.duration:.2f} s at {info.samplerate} Hz. Choose "
            "another folder (--data.root) or delete this one."
        )


def _write_take(job: tuple) -> None:
    root, take, render, sample_rate = job
    with atomic_write(root / take.clip.path) as temporary:
        soundfile.write(temporary, render(take), sample_rate, subtype="PCM_16")


def take_seconds(seconds: tuple[float, float], numbers: Sequence[int]) -> float:
    """Draws the length of a take.

    Args:
        seconds: shortest and longest.
        numbers: of `take_numbers`.
    """
    return round(float(np.random.default_rng(numbers).uniform(*seconds)), 2)


def check_takes(takes: Mapping[str, int]) -> dict[str, int]:
    """Returns numbers of takes by split when they are numbers of takes.

    Args:
        takes: what a user gave.

    Raises:
        ValueError: for none in any split, or fewer than none.
    """
    if not takes or min(takes.values()) < 0 or not any(takes.values()):
        raise ValueError(f"Expected numbers of takes by split, received {dict(takes)}.")
    return dict(takes)
