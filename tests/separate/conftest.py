"""A tiny separator that hears any text, and short files."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.models import BiModalUNet, streaming
from asteroid_bimodal.queries.base import EncodedQuery, QueryEncoder


class Hashed(QueryEncoder):
    """Another random embedding for each text."""

    token_dim, pooled_dim = 6, 4

    def encode(self, queries):
        encoded = []
        for text in queries:
            generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
            tokens = torch.randn(3, 6, generator=generator)
            pooled = 9 * torch.randn(4, generator=generator)
            encoded.append(EncodedQuery(tokens, torch.ones(3, dtype=torch.bool), pooled))
        return encoded


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"num_downs": 5, "ngf": 2, "out_dim": 4, "num_heads": 2}
    return BiModalUNet(8000, 126, 32, Hashed(), cond_dim=6, pooled_dim=4, **sizes).eval()


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
    monkeypatch.setattr(streaming, "HOP_SECONDS", 1)
    monkeypatch.setattr(streaming, "OVERLAP_SECONDS", 1)
