"""The miniature MUSIC: solo "videos" of MUSIC's 11 instruments, rendered from a soundfont.

Same folder layout and manifests as the full set:

    <root>/solo/audio/<label>/<id>.wav      mono, 16 bit
    <root>/{train,valid,test}.csv           manifests, paths relative to <root>

The soundfont is the General MIDI one inside the `pretty_midi` wheel. Everything follows from the
seed: a take's melody, tempo, dynamics, room and equaliser come from a generator seeded by
(seed, namespace, split, label, take), so that takes never repeat between splits or namespaces.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from asteroid_bimodal.utils.files import safe_name

from .performance import INSTRUMENTS, compose
from .soundfont import play_midi
from .takes import Miniature, Take

LABELS = tuple(INSTRUMENTS)


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


def _path(split: str, label: str, index: int, number: int) -> str:
    return f"solo/audio/{safe_name(label)}/{split}{index:03d}_{number:08x}.wav"


def _sound(take: Take, sample_rate: int) -> np.ndarray:
    rng = np.random.default_rng(take.numbers)
    return render_take(take.clip.label, take.clip.seconds, sample_rate, rng)


MUSIC = Miniature(
    kind="",
    labels=LABELS,
    takes={"train": 40, "valid": 3, "test": 4},
    seconds=(20.0, 40.0),
    sound=_sound,
    path=_path,
)
render = MUSIC.render
