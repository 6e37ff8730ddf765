"""What the miniatures share: numbered takes, and writing those that are missing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from asteroid_bimodal.data.manifest import Clip, write_manifest
from asteroid_bimodal.utils.files import atomic_write


@dataclass(frozen=True)
class Take:
    """One file to render: what a manifest says about it, and the numbers that seed its generator.

    No two takes of any split, namespace or set have the same numbers.
    """

    clip: Clip
    numbers: tuple[int, int, int]


def _flat_path(split: str, label: str, index: int, number: int) -> str:
    return f"audio/{split}{index:04d}_{number:08x}.wav"


@dataclass(frozen=True)
class Miniature:
    """A data set that is rendered instead of downloaded.

    Attributes:
        kind: part of the takes' names, and so of their seeds.
        labels: each has takes of its own; `("",)` for a set without labels.
        takes: how many, of each label in each split.
        seconds: shortest and longest take.
        sound: (take, sample_rate) → (T,) within ±1; a function of a module.
        path: (split, label, index, number) → file of a take, relative to the set's folder.
        caption: the numbers of a take → its caption.
    """

    kind: str
    labels: Sequence[str]
    takes: Mapping[str, int]
    seconds: tuple[float, float]
    sound: Callable[[Take, int], NDArray[np.float32]]
    path: Callable[[str, str, int, int], str] = _flat_path
    caption: Callable[[tuple[int, int, int]], str] = lambda numbers: ""

    def render(
        self,
        root: str | Path,
        *,
        takes: Mapping[str, int] | None = None,
        seconds: tuple[float, float] | None = None,
        sample_rate: int = 8000,
        seed: int = 0,
        namespace: str = "separator",
        num_workers: int = 2,
    ) -> dict[str, Path]:
        """Renders the set, or what is missing of it, and writes its manifests.

        Args:
            root: folder of the set.
            takes: takes of each label in each split, by default the set's.
            seconds: shortest and longest take, by default the set's.
            sample_rate: of the files, in hertz.
            seed: another seed gives another set.
            namespace: another namespace gives takes that no other namespace has; the semantic
                scorer is trained in its own.
            num_workers: processes; with 1 it is this one.

        Returns:
            The manifest of each split.

        Raises:
            ValueError: for no takes at all, or a folder with takes of another rate or length.
        """
        root, counts = Path(root), dict(takes or self.takes)
        if min(counts.values()) < 0 or not any(counts.values()):
            raise ValueError(f"Expected numbers of takes by split, received {counts}.")
        plan = list(self.plan(counts, seconds or self.seconds, seed, namespace))
        _check_same(root, plan, sample_rate)
        missing = [take for take in plan if not (root / take.clip.path).exists()]
        write = partial(_write, root=root, sound=self.sound, sample_rate=sample_rate)
        if missing:
            with _workers(num_workers) as pool:
                done = pool.map(write, missing, chunksize=4) if pool else map(write, missing)
                for _ in tqdm(
                    done, total=len(missing), desc="rendering", unit="take", disable=None
                ):
                    pass
        manifests = {split: root / f"{split}.csv" for split in counts}
        for split, path in manifests.items():
            write_manifest(path, [take.clip for take in plan if take.clip.split == split])
        return manifests

    def plan(
        self, takes: Mapping[str, int], seconds: tuple[float, float], seed: int, namespace: str
    ) -> Iterator[Take]:
        """Yields all takes; more of them leave the others as they are."""
        for split, count in takes.items():
            for label in self.labels:
                for index in range(count):
                    parts = (namespace, self.kind, split, label, str(index))
                    number = zlib.crc32("/".join(filter(None, parts)).encode())
                    path = self.path(split, label, index, number)
                    length = float(np.random.default_rng((seed, number)).uniform(*seconds))
                    numbers = (seed, number, 1)
                    clip = Clip(path, label, self.caption(numbers), round(length, 2), split)
                    yield Take(clip, numbers)


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


def _write(take: Take, *, root: Path, sound: Callable, sample_rate: int) -> None:
    with atomic_write(root / take.clip.path) as temporary:
        soundfile.write(temporary, sound(take, sample_rate), sample_rate, subtype="PCM_16")
