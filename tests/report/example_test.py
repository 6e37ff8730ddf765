"""Signals become pictures and players that tell the truth about level, time and pitch."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.report import Example
from asteroid_bimodal.report.example import render_example

RATE = 8000


def decoded(player):
    return soundfile.read(io.BytesIO(base64.b64decode(player.audio.split(",")[1])))


def test_players_share_one_gain():
    time = np.arange(RATE) / RATE
    mixture = np.sin(2 * np.pi * 440 * time)
    estimates = np.stack([2.0 * mixture, 0.5 * mixture])
    shown = render_example(Example("x", RATE, mixture, None, estimates, ["a", "b"]))
    sound, rate = decoded(shown.mixture[0])
    assert rate == RATE and len(sound) == RATE
    loud, soft = (decoded(one.players[0])[0] for one in shown.sources)
    assert np.abs(loud).max() == pytest.approx(0.95, abs=1e-3)
    np.testing.assert_allclose(loud, 2 * sound, atol=1e-4)
    np.testing.assert_allclose(soft, 0.5 * sound, atol=1e-4)


def test_pictures_say_what_they_show():
    wave = np.sin(np.arange(RATE))
    shown = render_example(
        Example("duet", RATE, wave, wave[None], wave[None], ["violin"], residual=0 * wave)
    )
    assert [t.role for t in shown.mixture] == ["Mixture", "Residual, claimed by no phrase"]
    reference, estimate = shown.sources[0].players
    assert 'aria-label="Spectrogram: Estimate of “violin”, example duet"' in estimate.svg
    assert "time (s)" in reference.svg and "frequency (kHz)" in reference.svg


def test_silence_and_short_clips_are_drawn():
    for length in (1, 100, RATE):
        zeros = np.zeros(length)
        shown = render_example(Example("x", RATE, zeros, None, zeros[None], ["a"]))
        assert decoded(shown.mixture[0])[0].tolist() == zeros.tolist()


def test_tensors_are_welcome():
    torch = pytest.importorskip("torch")
    wave = torch.sin(torch.arange(4000.0))
    assert render_example(
        Example("x", RATE, wave, wave[None], wave[None], ["a"], residual=wave)
    ).mixture


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"estimates": np.ones((2, 100))}, "estimates of example 'x' have shape"),
        ({"references": np.ones((1, 99))}, "references of example 'x' have shape"),
        ({"residual": np.ones((1, 100))}, "residual of example 'x' have shape"),
        ({"mixture": np.full(100, np.nan)}, "mixture of example 'x' has non-finite samples"),
    ],
)
def test_bad_signals(changed, message):
    signals = {
        "mixture": np.ones(100), "references": np.ones((1, 100)), "estimates": np.ones((1, 100)),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Example("x", RATE, phrases=["a"], **(signals | changed))
