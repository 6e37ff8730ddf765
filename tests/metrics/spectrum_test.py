"""The spectrum of an estimate against its reference's: a filter's decibels come out again."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_bimodal.metrics import LIMIT_DB, colouration, octave_deviation

RATE = 8000
ALL = (62, 125, 250, 500, 1000, 2000, 4000)


def noise():
    return np.random.default_rng(0).standard_normal((2, 8000))


def filtered(signals, gains):
    """Multiplies octaves by gains in dB."""
    spectra, hertz = np.fft.rfft(signals), np.fft.rfftfreq(signals.shape[-1], 1 / RATE)
    for centre, gain in gains.items():
        exact = 62.5 if centre == 62 else centre
        spectra[:, (exact / 2**0.5 <= hertz) & (hertz < exact * 2**0.5)] *= 10 ** (gain / 20)
    return np.fft.irfft(spectra, signals.shape[-1])


def test_a_filters_decibels_come_out():
    # Every octave of noise has 3 dB more than the one below.
    ref = filtered(noise(), {f: 3.0 * k for k, f in enumerate(reversed(ALL))})
    gains = dict(zip(ALL, (-6.0, 3.0, 0.0, 11.0, 12.0, 0.0, -20.0), strict=True))
    est = filtered(ref, gains)
    found = octave_deviation(est / 5, ref, RATE)
    for centre, gain in gains.items():
        assert found[centre] == pytest.approx([gain] * 2, abs=1e-6)
    assert colouration(est, ref, RATE) == pytest.approx([52 / 7] * 2)


def test_octaves_without_energy_say_nothing():
    ref = filtered(noise(), {f: -60.0 for f in ALL if f not in (1000, 2000)})
    found = octave_deviation(ref + noise() / 100, ref, RATE)
    assert [f for f, values in found.items() if not np.isnan(values).any()] == [1000, 2000]


@pytest.mark.parametrize(("rate", "last"), [(8000, 4000), (16000, 8000), (44100, 16000)])
def test_a_perfect_estimate_is_not_coloured(rate, last):
    assert max(octave_deviation(noise(), noise(), rate)) == last
    assert colouration(noise(), noise(), rate).tolist() == [0.0, 0.0]


def test_silence():
    ref, est = noise(), noise()
    ref[0], est[1] = 0, 0
    found = colouration(est, ref, RATE)
    assert np.isnan(found[0]) and found[1] == LIMIT_DB
