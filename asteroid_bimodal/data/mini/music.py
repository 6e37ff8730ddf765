"""The miniature MUSIC: solo "videos" of MUSIC's 11 instruments, rendered from a soundfont.

Same folder layout and manifests as the full set:

    <root>/solo/audio/<label>/<id>.wav      mono, 16 bit
    <root>/{train,valid,test}.csv           manifests, paths relative to <root>

The soundfont is the General MIDI one inside the `pretty_midi` wheel. Everything follows from the
seed: a take's melody, tempo, dynamics, room and equaliser come from a generator seeded by
(seed, namespace, split, label, take), so that takes never repeat between splits or namespaces.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import midirenderer
import numpy as np
import pretty_midi
import soundfile
from scipy.signal import fftconvolve, resample_poly
from tqdm import tqdm

from ...utils.files import atomic_write, safe_name
from ..manifest import Clip, write_manifest
from .performance import INSTRUMENTS, compose

LABELS = tuple(INSTRUMENTS)
TAKES = {"train": 40, "valid": 3, "test": 4}
RENDER_RATE = 48_000  # what midirenderer returns


@dataclass(frozen=True)
class Take:
    """One solo to render: where it goes and the numbers that fix it."""

    path: Path
    label: str
    split: str
    seconds: float
    seed: tuple[int, ...]


def render(
    root: str | Path,
    *,
    takes: Mapping[str, int] | None = None,
    seconds: tuple[float, float] = (20.0, 40.0),
    sample_rate: int = 8000,
    seed: int = 0,
    namespace: str = "separator",
    num_workers: int = 2,
) -> dict[str, Path]:
    """Renders the set, or what is missing of it, and writes its manifests.

    Args:
        root: folder of the set.
        takes: takes per label in each split, by default 40 train, 3 valid, 4 test.
        seconds: shortest and longest take.
        sample_rate: of the files, in hertz.
        seed: another seed gives another set.
        namespace: another namespace gives takes that no other namespace has; the semantic scorer
            is trained in its own.
        num_workers: processes.

    Returns:
        The manifest of each split.

    Raises:
        ValueError: when the folder holds takes of another rate.
    """
    root = Path(root)
    plan = _plan(root, takes or TAKES, seconds, seed, namespace)
    missing = [take for take in plan if not take.path.exists()]
    _check_rate([take.path for take in plan if take.path.exists()], sample_rate)
    if missing:
        # Forked workers share the soundfont and do not import everything again.
        with ProcessPoolExecutor(num_workers, mp_context=get_context("fork")) as pool:
            jobs = pool.map(_render_file, missing, [sample_rate] * len(missing), chunksize=4)
            for _ in tqdm(jobs, total=len(missing), desc="rendering", unit="take"):
                pass
    return {split: _write_split(root, plan, split) for split in (takes or TAKES)}


def _plan(
    root: Path, takes: Mapping[str, int], seconds: tuple[float, float], seed: int, namespace: str
) -> list[Take]:
    plan = []
    for split, count in takes.items():
        for label in LABELS:
            for index in range(count):
                name = f"{namespace}/{split}/{label}/{index}"
                numbers = (seed, zlib.crc32(name.encode()))
                length = np.random.default_rng(numbers).uniform(*seconds)
                video_id = f"{split}{index:03d}_{numbers[1]:08x}"
                path = root / "solo" / "audio" / safe_name(label) / f"{video_id}.wav"
                plan.append(Take(path, label, split, round(float(length), 2), (*numbers, 1)))
    return plan


def _check_rate(paths: list[Path], sample_rate: int) -> None:
    found = soundfile.info(paths[0]).samplerate if paths else sample_rate
    if found != sample_rate:
        raise ValueError(
            f"Expected takes of {sample_rate} Hz, found {paths[0]} with {found} Hz. Choose another "
            "folder (--data.root) or delete this one."
        )


def _write_split(root: Path, plan: list[Take], split: str) -> Path:
    manifest = root / f"{split}.csv"
    clips = [
        Clip(take.path.relative_to(root).as_posix(), take.label, "", take.seconds, split)
        for take in plan
        if take.split == split
    ]
    write_manifest(manifest, clips)
    return manifest


def _render_file(take: Take, sample_rate: int) -> None:
    audio = render_take(take.label, take.seconds, sample_rate, np.random.default_rng(take.seed))
    with atomic_write(take.path) as temporary:
        soundfile.write(temporary, audio, sample_rate, subtype="PCM_16")


def render_take(
    label: str, seconds: float, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Renders one solo performance.

    Args:
        label: one of `LABELS`.
        seconds: how long.
        sample_rate: in hertz.
        rng: the source of all choices.

    Returns:
        (T,) float32 within ±1.

    Raises:
        ValueError: for a label that the miniature does not have.

    Examples:
        >>> render_take("flute", 2.0, 8000, np.random.default_rng(0)).shape
        (16000,)
    """
    if label not in INSTRUMENTS:
        raise ValueError(f"Expected a label of {', '.join(LABELS)}, received {label!r}.")
    midi = compose(INSTRUMENTS[label], seconds, rng)
    rendered = midirenderer.render_wave_from(_soundfont(), midi)
    stereo, _ = soundfile.read(io.BytesIO(rendered), dtype="float32", always_2d=True)
    audio = resample_poly(stereo.mean(axis=1), sample_rate, RENDER_RATE)
    length = round(seconds * sample_rate)
    audio = np.pad(audio[:length], (0, max(0, length - len(audio))))
    audio = _resonate(audio, sample_rate, INSTRUMENTS[label].resonances)
    audio = _equalise(_room(audio, sample_rate, rng), rng)
    audio = audio / max(np.abs(audio).max(), 1e-6) * rng.uniform(0.5, 0.95)
    floor = rng.normal(size=length) * 10 ** (rng.uniform(-75, -60) / 20)
    return np.clip(audio + floor, -1, 1).astype(np.float32)


@lru_cache(maxsize=1)
def _soundfont() -> bytes:
    return (Path(pretty_midi.__file__).parent / "TimGM6mb.sf2").read_bytes()


def _room(audio: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Adds a reverberant tail: exponentially decaying noise, 0.1 to 0.8 s to -60 dB."""
    decay, wet = rng.uniform(0.1, 0.8), rng.uniform(0.0, 0.4)
    time = np.arange(round(decay * sample_rate)) / sample_rate
    tail = rng.normal(size=time.size) * 10 ** (-3 * time / decay)
    tail /= np.sqrt(np.sum(tail**2))
    return (1 - wet) * audio + wet * fftconvolve(audio, tail)[: len(audio)]


def _resonate(
    audio: np.ndarray, sample_rate: int, resonances: tuple[tuple[float, float], ...]
) -> np.ndarray:
    """Applies an instrument's body resonances."""
    if not resonances:
        return audio
    frequencies = np.fft.rfftfreq(len(audio), 1 / sample_rate)
    octaves = np.log2(np.maximum(frequencies, 20.0))
    gain = sum(
        decibels * np.exp(-0.5 * ((octaves - np.log2(hertz)) / 0.33) ** 2)
        for hertz, decibels in resonances
    )
    return np.fft.irfft(np.fft.rfft(audio) * 10 ** (gain / 20), n=len(audio))


def _equalise(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Applies a random smooth gain over log-frequency, within ±3 dB."""
    spectrum = np.fft.rfft(audio)
    octaves = np.linspace(0, 1, spectrum.size) ** 0.4
    gain = np.interp(octaves, np.linspace(0, 1, 7), rng.uniform(-3, 3, size=7))
    return np.fft.irfft(spectrum * 10 ** (gain / 20), n=len(audio))
