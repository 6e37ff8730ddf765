"""The tone set whose splits share no content: each split has a noise floor of its own."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile


def write(make_tone_set, root):
    tones = make_tone_set(root)
    for seed, split in enumerate(("train", "valid", "test")):
        rng = np.random.default_rng(seed)
        for path in root.glob(f"solo/audio/*/{split}*.wav"):
            wav, rate = soundfile.read(path)
            soundfile.write(path, wav + 1e-3 * rng.standard_normal(len(wav)), rate)
    return tones


@pytest.fixture(scope="session")
def tone_set(make_tone_set, tmp_path_factory):
    return write(make_tone_set, tmp_path_factory.mktemp("tones"))


@pytest.fixture
def own_tone_set(make_tone_set, tmp_path):
    return write(make_tone_set, tmp_path / "tones")
