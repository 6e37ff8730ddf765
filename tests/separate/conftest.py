"""A tiny separator that hears any text, and short files."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from tiny_model import HashedTexts, build_tiny

from asteroid_bimodal.models import QueriedSeparator


@pytest.fixture(scope="module")
def model():
    return build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())


def make_noise(length=4000, channels=1):
    return 0.1 * np.random.default_rng(length).standard_normal((length, channels), np.float32)


def write_audio(path, audio, rate=8000, subtype="FLOAT"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


@pytest.fixture(scope="session")
def noise():
    return make_noise


@pytest.fixture(scope="session")
def write():
    return write_audio


@pytest.fixture
def duet(tmp_path):
    return write_audio(tmp_path / "duet.wav", make_noise())


@pytest.fixture
def short_windows(monkeypatch):
    monkeypatch.setattr(QueriedSeparator, "window_hop", 1)
    monkeypatch.setattr(QueriedSeparator, "window_overlap", 1)
