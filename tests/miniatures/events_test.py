"""Synthesised sound events: what they are made of, and that they are what they are called."""

from __future__ import annotations

import numpy as np
import pytest
from miniatures.events import LABELS, render_event
from miniatures.events_dsp import Synth, finish

RATE = 8000


def synth(seconds=1.0, seed=0) -> Synth:
    return Synth(seconds, RATE, np.random.default_rng(seed))


def event(label, seconds=2.0, seed=0, **options):
    return render_event(label, seconds, RATE, np.random.default_rng(seed), **options)


def peaks(wav, count) -> np.ndarray:
    """The strongest frequencies, at least 20 Hz apart."""
    spectrum, found = np.abs(np.fft.rfft(wav * np.hanning(len(wav)))), []
    hertz = np.fft.rfftfreq(len(wav), 1 / RATE)
    for _ in range(count):
        best = int(spectrum.argmax())
        found.append(hertz[best])
        spectrum[np.abs(hertz - hertz[best]) < 20] = 0
    return np.sort(found)


def test_a_voice_has_the_harmonics_of_its_pitch_and_none_above_the_band():
    wav = synth().voice(np.full(RATE, 1000.0), tilt=0.5)
    np.testing.assert_allclose(peaks(wav, 3), [1000, 2000, 3000], atol=2)
    assert np.abs(np.fft.rfft(wav))[3900:].max() < 1e-3 * np.abs(np.fft.rfft(wav)).max()


def test_modes_die_away_as_told():
    wav = synth(2.0).modes([500.0, 9000.0], [1.0, 1.0], [1.0, 1.0])
    assert len(wav) == RATE  # nothing is heard after the longest decay
    np.testing.assert_allclose(peaks(wav[:4000], 1), [500], atol=2)
    begin, end = np.abs(wav[:400]).max(), np.abs(wav[4000:4400]).max()
    assert 20 * np.log10(begin / end) == pytest.approx(30, abs=1.5)


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_falls_with_frequency(colour):
    wav = synth(16.0).noise(colour=colour)
    power = np.abs(np.fft.rfft(wav)) ** 2
    hertz = np.fft.rfftfreq(len(wav), 1 / RATE)
    octaves = [power[(hertz > f) & (hertz < 2 * f)].mean() for f in (250, 500, 1000, 2000)]
    slopes = np.diff(10 * np.log10(octaves))
    np.testing.assert_allclose(slopes, -10 * np.log10(2) * colour, atol=0.4)
    assert wav.std() == pytest.approx(1)


def test_a_band_keeps_what_is_within():
    wav = synth(4.0).band(synth(4.0).noise(), 900, 1100)
    spectrum = np.abs(np.fft.rfft(wav)) ** 2
    assert spectrum[4 * 800 : 4 * 1200].sum() > 0.9 * spectrum.sum()


def test_pulses_come_at_their_rate():
    wav = synth(2.0).pulses(np.full(2 * RATE, 25.0), 0.001)
    starts = np.flatnonzero((wav[1:] > 0.5) & (wav[:-1] <= 0.5))
    assert len(starts) in (49, 50)
    np.testing.assert_allclose(np.diff(starts), RATE / 25, atol=1)


def test_scattered_sounds_begin_when_they_should_and_end_with_the_track():
    track = synth(1.0).scatter([0.25, 0.95], lambda: np.ones(1000))
    assert len(track) == RATE
    expected = np.zeros(RATE)
    expected[2000:3000] = 1
    expected[7600:] = 1
    np.testing.assert_array_equal(track, expected)


def test_finish_leaves_its_input_alone():
    maker, wav = synth(), synth(seed=1).noise()
    before = wav.copy()
    assert np.abs(finish(maker, wav)).max() <= 1
    np.testing.assert_array_equal(wav, before)


@pytest.mark.parametrize("label", LABELS)
def test_every_event_sounds_and_no_two_are_alike(label):
    first, again, other = event(label), event(label), event(label, seed=1)
    assert first.shape == (2 * RATE,) and first.dtype == np.float32
    assert np.abs(first).max() <= 1 and first.std() > 10 ** (-45 / 20)
    np.testing.assert_array_equal(first, again)
    assert np.abs(np.corrcoef(first, other)[0, 1]) < 0.5


@pytest.mark.parametrize("label", ["thunder", "owl hooting", "church bell ringing", "sea waves"])
def test_short_events_sound_too(label):
    for seed in range(4):
        assert event(label, 0.8, seed, background=False).std() > 10 ** (-45 / 20)


def test_what_is_high_and_what_is_low():
    def centre(label):
        spectrum = sum(np.abs(np.fft.rfft(event(label, 4.0, seed))) ** 2 for seed in range(3))
        return (spectrum * np.arange(len(spectrum))).sum() / spectrum.sum() / 4

    assert centre("cricket chirping") > 2500 > centre("dog barking") > 300 > centre("thunder")
    assert centre("bird chirping, tweeting") > 1500 > centre("owl hooting")


@pytest.mark.parametrize(
    ("label", "seconds", "message"),
    [
        ("violin", 1.0, "Expected a label of .*, received 'violin'"),
        ("raining", 0.0, "Expected a length above 0 seconds, received 0.0"),
    ],
)
def test_bad_input(label, seconds, message):
    with pytest.raises(ValueError, match=message):
        event(label, seconds)
