"""Spectrograms of files, all on one scale, as small pictures.

Rows are spaced as the ear hears (mel), so that instruments fill the picture at any sample rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.lib.stride_tricks import sliding_window_view

from ..utils.spectrogram import picture_uri

_WIDTH, _HEIGHT = 800, 160
_WINDOW_SECONDS = 0.064
_SAMPLES = 2**21  # of overlapping windows, at a time
_KILOHERTZ = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Picture:
    """A spectrogram, as a data URI, and the places of its frequencies, from 0 to 1 at the top."""

    uri: str
    ticks: dict[str, float]


def draw_together(paths: Sequence[str | Path]) -> list[Picture]:
    """Draws WAV files of one rate; 0 dB is the loudest place of the first, the mixture."""
    rate = soundfile.info(paths[0]).samplerate
    pictures = [magnitudes(path) for path in paths]
    loudest = pictures[0].max() or 1.0
    return [Picture(picture_uri(levels, loudest), find_ticks(rate)) for levels in pictures]


def magnitudes(path: str | Path) -> np.ndarray:
    """Measures (rows, columns) of a file, low frequencies first; the loudest channel counts."""
    with soundfile.SoundFile(path) as file:
        window = 2 ** round(np.log2(_WINDOW_SECONDS * file.samplerate))
        hop, count = window // 4, max(1, _SAMPLES // window)
        total = -(-file.frames // hop)
        columns = np.arange(total) * min(_WIDTH, total) // total
        picture = np.zeros((_HEIGHT, min(_WIDTH, total)), np.float32)
        for first in range(0, total, count):
            samples = _read(file, first * hop - window // 2, count * hop + window - hop)
            frames = _transform(samples, window, hop, file.samplerate)[:, : total - first]
            np.maximum.at(picture, (slice(None), columns[first : first + count]), frames)
    return picture


def find_ticks(sample_rate: float) -> dict[str, float]:
    """Places the labels of the frequency axis."""
    top = sample_rate / 2000
    return {f"{tick:g}": _mel(tick) / _mel(top) for tick in _KILOHERTZ if tick < 0.9 * top}


def _mel(kilohertz: float) -> float:
    return math.log1p(kilohertz / 0.7)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return 700 * np.expm1(mel)


def _read(file: soundfile.SoundFile, start: int, length: int) -> np.ndarray:
    """Reads (length, C) samples from anywhere; there is silence outside of the file."""
    before = max(0, -start)
    file.seek(start + before)
    samples = file.read(length - before, dtype="float32", always_2d=True)
    after = length - before - len(samples)
    return np.pad(samples, ((before, after), (0, 0)))


def _transform(samples: np.ndarray, window: int, hop: int, rate: int) -> np.ndarray:
    """Transforms (T, C) samples to (rows, frames)."""
    shape = np.hanning(window + 1)[:-1].astype(np.float32)
    loudest = 0.0
    for channel in samples.T:
        frames = sliding_window_view(channel, window)[::hop] * shape
        loudest = np.maximum(loudest, np.abs(np.fft.rfft(frames)))  # (frames, bins)
    # Where rows are finer than bins, several rows show the same bin.
    places = np.linspace(0, _mel(rate / 2000), _HEIGHT, endpoint=False)
    first_bins = np.round(_hertz(places) * window / rate).astype(int)
    return np.maximum.reduceat(loudest, first_bins, axis=1).T
