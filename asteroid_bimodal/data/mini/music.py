"""The miniature MUSIC: solo "videos" of MUSIC's 11 instruments, rendered from a soundfont.

Same folder layout and manifests as the full set:

    <root>/solo/audio/<label>/<id>.wav      mono, 16 bit
    <root>/{train,valid,test}.csv           manifests, paths relative to <root>

The soundfont is the General MIDI one inside the `pretty_midi` wheel. Everything follows from the
seed: a take's melody, tempo, dynamics, room and equaliser come from a generator seeded by
(seed, namespace, split, label, take), so that takes never repeat between splits or namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from ...utils.files import safe_name
from ..manifest import Clip
from .events_takes import Take, check_takes, take_numbers, take_seconds, write_takes
from .performance import INSTRUMENTS, compose
from .soundfont import play_midi

LABELS = tuple(INSTRUMENTS)
TAKES = {"train": 40, "valid": 3, "test": 4}


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
        ValueError: when the folder holds takes of another rate or length.
    """
    takes = check_takes(takes or TAKES)
    plan = _plan(takes, seconds, seed, namespace)
    render_one = partial(_render, sample_rate=sample_rate)
    return write_takes(
        root, plan, list(takes), render_one, sample_rate=sample_rate, num_workers=num_workers
    )


def _plan(
    takes: Mapping[str, int], seconds: tuple[float, float], seed: int, namespace: str
) -> list[Take]:
    plan = []
    for split, count in takes.items():
        for label in LABELS:
            for index in range(count):
                numbers = take_numbers(seed, f"{namespace}/{split}/{label}/{index}")
                video_id = f"{split}{index:03d}_{numbers[1]:08x}"
                path = f"solo/audio/{safe_name(label)}/{video_id}.wav"
                clip = Clip(path, label, "", take_seconds(seconds, numbers), split)
                plan.append(Take(clip, (*numbers, 1)))
    return plan


def _render(take: Take, sample_rate: int) -> np.ndarray:
    rng = np.random.default_rng(take.numbers)
    return render_take(take.clip.label, take.clip.seconds, sample_rate, rng)


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
    audio = play_midi(midi, sample_rate)
    length = round(seconds * sample_rate)
    audio = np.pad(audio[:length], (0, max(0, length - len(audio))))
    audio = _resonate(audio, sample_rate, INSTRUMENTS[label].resonances)
    audio = _equalise(_room(audio, sample_rate, rng), rng)
    audio = audio / max(np.abs(audio).max(), 1e-6) * rng.uniform(0.5, 0.95)
    floor = rng.normal(size=length) * 10 ** (rng.uniform(-75, -60) / 20)
    return np.clip(audio + floor, -1, 1).astype(np.float32)


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
