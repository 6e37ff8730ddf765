"""Checks of audio files: headers, or all samples, several files at a time."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from tqdm import tqdm

from ...dsp.samples import LOUDEST, fault_of
from ...utils.audio_file import UnreadableAudioError, audio_seconds, open_audio, to_mono
from ..crops import QUIET, loudness

TOLERANCE = 0.1  # seconds by which a length may be off
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Probe:
    """The state of a file."""

    size: int = 0  # in bytes; 0 for a missing file
    seconds: float = 0.0  # 0 when it cannot be read
    problem: str = ""  # a kind of finding, "" for a file without fault
    detail: str = ""
    digest: str = ""  # of the samples, "" unless they were decoded


def probe_files(root: Path, paths: Sequence[str], *, decode: bool, jobs: int) -> dict[str, Probe]:
    """Checks files below `root`: headers, or all samples with `decode`; `jobs` at a time."""
    return _each(lambda path: _probe(root / path, decode), paths, "reading files", jobs)


def digest_files(root: Path, probes: dict[str, Probe], jobs: int) -> dict[str, str]:
    """Digests of the files that may have doubles: of their samples if decoded, else their bytes."""
    # The bytes are read only of files whose size is that of another.
    sizes = Counter(probe.size for probe in probes.values() if not probe.digest)
    doubtful = [
        path
        for path, probe in probes.items()
        if probe.problem not in ("missing file", "unreadable")
        and not probe.digest
        and sizes[probe.size] > 1
    ]
    read = _each(lambda path: _file_digest(root / path), doubtful, "comparing", jobs)
    return {path: probe.digest for path, probe in probes.items() if probe.digest} | read


def file_digests(ours: Iterable[Path], theirs: Iterable[Path], jobs: int) -> dict[Path, str]:
    """Digests of the bytes of existing files whose size is also that of one of the other side."""
    sides = [{p: p.stat().st_size for p in side if p.is_file()} for side in (ours, theirs)]
    shared = set.intersection(*(set(sizes.values()) for sizes in sides)) - {0}
    doubtful = [path for path, size in (sides[0] | sides[1]).items() if size in shared]
    return _each(_file_digest, doubtful, "comparing", jobs)


def _each(work: Callable[[K], T], paths: Sequence[K], name: str, jobs: int) -> dict[K, T]:
    with ThreadPoolExecutor(jobs) as pool:
        results = tqdm(
            pool.map(work, paths), total=len(paths), desc=name, disable=None if paths else True
        )
        return dict(zip(paths, results, strict=True))


def _probe(path: Path, decode: bool) -> Probe:
    if not path.exists():
        return Probe(problem="missing file", detail="the file does not exist")
    if not path.is_file():
        return Probe(problem="missing file", detail="this is a folder or the like, no file")
    size = path.stat().st_size
    if not size:
        return Probe(problem="unreadable", detail="the file is empty")
    seconds = 0.0
    try:
        seconds = audio_seconds(path)
        if not seconds:
            return Probe(size, problem="unreadable", detail="the file has no samples")
        return _decode(path, size, seconds) if decode else Probe(size, seconds)
    except UnreadableAudioError as error:
        detail = str(error).removeprefix(f"Cannot read {path}: ").removeprefix(f"{path} ")
        return Probe(size, seconds, "unreadable", detail)


def _decode(path: Path, size: int, seconds: float) -> Probe:
    """Reads a whole file."""
    digest, loudest, frames = hashlib.sha256(), 0.0, 0
    with open_audio(path, strict=True) as audio:
        rate = audio.sample_rate
        digest.update(f"{rate} {audio.channels} ".encode())
        for block in audio.blocks:
            if fault := fault_of(block):
                bad = (~(block.abs() <= LOUDEST)).any(dim=0).nonzero()
                detail = f"in second {(frames + int(bad[0])) // rate}: {fault}"
                kind = "too loud" if torch.isfinite(block).all() else "not finite"
                return Probe(size, seconds, kind, detail)
            digest.update(block.T.contiguous().numpy().tobytes())
            for second in to_mono(block).split(rate):
                loudest = max(loudest, loudness(second))
            frames += block.shape[-1]
    seconds = frames / rate  # not what the header says
    quiet = loudest <= QUIET
    detail = f"the loudest second has an RMS of {20 * math.log10(max(loudest, 1e-9)):.0f} dB"
    return Probe(size, seconds, *(("silent", detail) if quiet else ("", "")), digest.hexdigest())


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
