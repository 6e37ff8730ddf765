"""Pictures of sounds whose place, time and level are known."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from asteroid_bimodal.demo import figures
from asteroid_bimodal.demo.figures import draw_together, find_ticks, magnitudes
from asteroid_bimodal.utils.spectrogram import FLOOR_DB, STEPS

RATE = 8000
TIME = np.arange(RATE) / RATE


@pytest.fixture
def write(tmp_path):
    def write(audio, name="sound.wav"):
        soundfile.write(tmp_path / name, audio, RATE, subtype="FLOAT")
        return tmp_path / name

    return write


def levels(picture):
    """In dB, the lowest frequencies first."""
    _, _, data = picture.uri.partition("base64,")
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), float)
    return FLOOR_DB * (1 - image[::-1] / (STEPS - 1))


@pytest.mark.parametrize("label", ["0.5", "1", "2"])
def test_a_tone_lies_at_the_tick_of_its_frequency(write, label):
    picture = magnitudes(write(np.sin(2 * np.pi * 1000 * float(label) * TIME)))
    row = picture.mean(axis=1).argmax()
    assert row / len(picture) == pytest.approx(find_ticks(RATE)[label], abs=0.015)


def test_a_click_lies_at_its_time(write):
    audio = np.zeros(RATE)
    audio[3 * RATE // 4] = 1
    picture = magnitudes(write(audio))
    column = picture.mean(axis=0).argmax()
    assert column / picture.shape[1] == pytest.approx(0.75, abs=0.02)


def test_all_pictures_share_the_scale_of_the_first(write):
    tone = 0.25 * np.sin(2 * np.pi * 1000 * TIME)
    paths = [write(gain * tone, f"{gain}.wav") for gain in (1, 0.1, 2, 0)]
    loudest = [levels(picture).max() for picture in draw_together(paths)]
    step = -FLOOR_DB / (STEPS - 1)
    assert loudest == pytest.approx([0, -20, 0, FLOOR_DB], abs=step)  # above 0 dB is 0 dB


def test_the_loudest_channel_counts(write):
    tone = np.sin(2 * np.pi * 1000 * TIME)
    left = magnitudes(write(np.stack([tone, -tone], axis=1), "stereo.wav"))
    np.testing.assert_allclose(left, magnitudes(write(tone, "mono.wav")), rtol=1e-4, atol=1e-4)


def test_pieces_make_the_same_picture(write, monkeypatch):
    path = write(np.random.default_rng(0).standard_normal(3 * RATE))
    whole = magnitudes(path)
    monkeypatch.setattr(figures, "_SAMPLES", 4000)  # seven windows
    np.testing.assert_allclose(magnitudes(path), whole, rtol=1e-5, atol=1e-5)


def test_silence_is_black(write):
    (picture,) = draw_together([write(np.zeros(RATE))])
    assert (levels(picture) == FLOOR_DB).all()


def test_one_sample_makes_a_picture(write):
    assert magnitudes(write(np.ones(1))).shape == (figures._HEIGHT, 1)
