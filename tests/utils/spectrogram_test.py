"""Pictures and players that need no other file."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_bimodal.utils.spectrogram import magnitudes


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_tone_stands_at_its_frequency(rate):
    tone = np.sin(2 * np.pi * 1000 * np.arange(3 * rate) / rate)
    found = magnitudes(tone, rate)
    peak = found.mean(1).argmax() / len(found) * rate / 2
    assert peak == pytest.approx(1000, abs=rate / len(found))
    assert max(found.shape) < 700
