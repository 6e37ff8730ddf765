"""Pictures tell the truth about frequency and level."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from asteroid_bimodal.utils.spectrogram import FLOOR_DB, STEPS, magnitudes, picture_uri


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_tone_stands_at_its_frequency(rate):
    tone = np.sin(2 * np.pi * 1000 * np.arange(3 * rate) / rate)
    found = magnitudes(tone, rate)
    peak = found.mean(1).argmax() / len(found) * rate / 2
    assert peak == pytest.approx(1000, abs=rate / len(found))
    assert max(found.shape) < 700


def test_levels_are_relative_to_the_loudest():
    uri = picture_uri(np.array([[1.0, 0.1], [2.0, 0.0]]), 1.0)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))), float)
    levels = FLOOR_DB * (1 - image[::-1] / (STEPS - 1))  # the lowest frequencies first
    np.testing.assert_allclose(levels, [[0, -20], [0, FLOOR_DB]], atol=-FLOOR_DB / STEPS)
