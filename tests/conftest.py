"""A tiny labelled set whose every sound is known: each label is a tone of its own frequency.

Its "videos" have two frames each, of a brightness of their own.
"""

from __future__ import annotations

import multiprocessing
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import Phase, settings
from PIL import Image

from asteroid_bimodal.data.frames import frames_folder
from asteroid_bimodal.data.manifest import Clip, write_manifest
from asteroid_bimodal.data.pinned import draw_test_list, write_test_list

# Processes that the tests start come from a server that has no threads: a fork of this process,
# which has some, may wait for ever on a lock that another thread held.
multiprocessing.set_forkserver_preload(["asteroid_bimodal.data"])
multiprocessing.set_start_method("forkserver", force=True)

# Shells have what runs in their background ignore Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests that draw draw the same each time, and few. Nothing shrinks: a failing draw is small anyway.
settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("same")

RATE = 8000
TAKES = {"train": 2, "valid": 1, "test": 1}
TONES = {
    "accordion": 300.0,
    "acoustic guitar": 500.0,
    "cello": 700.0,
    "clarinet": 1100.0,
    "erhu": 1300.0,
    "flute": 1700.0,
    "trumpet": 1900.0,
    "violin": 2300.0,
}


@dataclass(frozen=True)
class ToneSet:
    """Folder with train.csv, valid.csv, test.csv and lists/, and what is in it."""

    root: Path
    tones: dict[str, float]
    sample_rate: int


def write_tone(path: Path, frequency: float, seconds: float = 2.0, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    swell = 1 + 0.2 * np.sin(2 * np.pi * 3 * time + seed)
    tone = 0.5 * swell * np.sin(2 * np.pi * frequency * time)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone + 1e-3 * rng.standard_normal(time.size), RATE)


def write_frames(audio: Path, brightness: int) -> None:
    folder = frames_folder(audio)
    folder.mkdir(parents=True)
    for index in range(2):
        Image.new("RGB", (16, 16), (brightness, 100 * index, 0)).save(folder / f"{index:03d}.png")


def write_tone_set(root: Path) -> ToneSet:
    for split, count in TAKES.items():
        clips = []
        for seed, (label, frequency) in enumerate(TONES.items()):
            for take in range(count):
                name = label.replace(" ", "_")
                path = f"solo/audio/{name}/{split}{take}_{name}.wav"
                write_tone(root / path, frequency, seed=10 * seed + take)
                write_frames(root / path, brightness=20 * seed + take)
                clips.append(Clip(path, label, "", 2.0, split))
        write_manifest(root / f"{split}.csv", clips)
        if split != "train":
            drawn = draw_test_list(
                clips,
                root,
                num_items=3,
                num_sources=2,
                sample_rate=RATE,
                num_samples=RATE,
                seed=0,
            )
            write_test_list(root / "lists", f"{split}_2src_seed0", drawn.mixtures)
    return ToneSet(root, TONES, RATE)


@pytest.fixture(scope="session")
def tone_set(tmp_path_factory) -> ToneSet:
    """Shared: only read it."""
    return write_tone_set(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="session")
def make_tone_set():
    """Writes one more."""
    return write_tone_set


@pytest.fixture
def own_tone_set(tmp_path) -> ToneSet:
    """One that the test may break."""
    return write_tone_set(tmp_path / "tones")


def pytest_collection_modifyitems(items):
    """Begins with what takes longest, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: "tests/recipes/" not in item.nodeid)
