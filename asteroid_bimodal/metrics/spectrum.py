"""Colouration: the long-term spectrum of an estimate against its reference's, by octave."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from .waveform import LIMIT_DB, checked_pair, is_silent

OCTAVES = (62, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)  # centres in Hz; 62 stands for 62.5
_HEARD_DB = -20.0  # octaves of a reference further below its loudest say nothing
_FLOOR = 1e-12  # of a signal's energy; what is below comes from rounding


def octave_deviation(est: ArrayLike, ref: ArrayLike, sample_rate: int) -> dict[int, np.ndarray]:
    """Compares long-term spectra: which octaves of an estimate are too loud, which too soft?

    Args:
        est: estimates, a tensor or array (S, T).
        ref: references (S, T), in the order of the estimates.
        sample_rate: of both, in Hz.

    Returns:
        Of each octave that begins below half the sample rate, by its centre in Hz, S numbers in dB,
        less their mean over the octaves, so that level drops out; -`LIMIT_DB` for a silent
        estimate, NaN where a reference is silent or more than 20 dB below its loudest octave.

    Examples:
        >>> low, high = np.sin(np.outer([0.1, 1.0], np.arange(8000)))
        >>> found = octave_deviation([low + 2 * high], [low + high], 8000)
        >>> found[125].round(1).tolist(), found[1000].round(1).tolist()
        ([-3.0], [3.0])
    """
    est, ref = checked_pair(est, ref)
    return level_deviation(octave_levels(est, sample_rate), octave_levels(ref, sample_rate))


def colouration(est: ArrayLike, ref: ArrayLike, sample_rate: int) -> np.ndarray:
    """Averages the sizes of `octave_deviation` over the octaves.

    Args:
        est: estimates, a tensor or array (S, T).
        ref: references (S, T), in the order of the estimates.
        sample_rate: of both, in Hz.

    Returns:
        S numbers in dB, 0 at best, `LIMIT_DB` for a silent estimate; NaN for a silent reference.

    Examples:
        >>> low, high = np.sin(np.outer([0.1, 1.0], np.arange(8000)))
        >>> colouration([low + 2 * high], [low + high], 8000).round(1).tolist()
        [3.0]
    """
    return mean_size(octave_deviation(est, ref, sample_rate))


def mean_size(deviation: dict[int, np.ndarray]) -> np.ndarray:
    """The mean size of each signal's deviations (S,), NaN where there is none."""
    sizes = np.abs(np.stack(list(deviation.values())))  # (O, S)
    counts = (~np.isnan(sizes)).sum(0)
    return np.where(counts, np.nansum(sizes, 0) / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True)
class OctaveLevels:
    """Levels (O, S) in dB of the octaves of S signals, and which signals are silent, (S,)."""

    levels: np.ndarray
    silent: np.ndarray

    def __getitem__(self, signals: slice) -> OctaveLevels:
        return OctaveLevels(self.levels[:, signals], self.silent[signals])


def octave_levels(signals: np.ndarray, sample_rate: int) -> OctaveLevels:
    """Measures the octaves of signals (S, T)."""
    spectra = scipy.fft.rfft(signals)
    power = np.square(spectra.real) + np.square(spectra.imag)
    hertz = np.fft.rfftfreq(signals.shape[-1], 1 / sample_rate)
    edges = [62.5 * 2 ** (k - 0.5) for k in range(len(OCTAVES) + 1)]
    inside = sum(edge < sample_rate / 2 for edge in edges[:-1])  # octaves that begin there
    bands = pairwise(np.searchsorted(hertz, edges[: inside + 1]))
    energy = [power[:, low:high].sum(-1) for low, high in bands]
    floor = np.maximum(_FLOOR * power.sum(-1), np.finfo(float).tiny)
    return OctaveLevels(10 * np.log10(np.maximum(energy, floor)), is_silent(signals))


def level_deviation(est: OctaveLevels, ref: OctaveLevels) -> dict[int, np.ndarray]:
    """Compares levels as `octave_deviation` does; one estimate stands for all references."""
    heard = (ref.levels >= ref.levels.max(0) + _HEARD_DB) & ~ref.silent
    change = np.where(heard, est.levels - ref.levels, 0.0)
    change -= change.sum(0) / np.maximum(heard.sum(0), 1)
    change = np.where(est.silent, -LIMIT_DB, change.clip(-LIMIT_DB, LIMIT_DB))
    return dict(zip(OCTAVES, np.where(heard, change, np.nan), strict=False))
