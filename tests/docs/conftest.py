"""Small things that stand where the documentation has recordings, experiments and the hub."""

from __future__ import annotations

import json
import shutil
import sys
import webbrowser
from pathlib import Path

import asteroid.utils.hub_utils
import huggingface_hub.constants
import numpy as np
import pytest
import soundfile
import torch
from hub_server import TOKEN, Hub

from asteroid_bimodal.models import BiModalUNet

sys.path.insert(0, str(Path(__file__).parent))

REPO = Path(__file__).parents[2]
RATE = 8000


def write_noise(path: str, seconds: float = 1.0, channels: int = 1) -> None:
    wav = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE), channels))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wav, RATE)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to run examples in, with recordings, and the recipe where a checkout has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda *args, **kwargs: True)
    for name in ("duet.wav", "cello.wav", "songs/one.wav", "songs/two.wav"):
        write_noise(name)
    shutil.copytree(REPO / "egs/music/local", tmp_path / "egs/music/local")
    shutil.copytree(REPO / "conf/systems", tmp_path / "conf/systems")
    return tmp_path


@pytest.fixture
def experiment(place):
    """exp/tag as training and evaluation leave it, and what is to be found somewhere else."""
    torch.manual_seed(0)
    masker = dict(cond_dim=128, pooled_dim=128, num_downs=5, ngf=2, out_dim=4, num_heads=2)
    model = BiModalUNet(RATE, 126, 32, "mini", **masker).eval()
    folder = place / "exp/tag"
    folder.mkdir(parents=True)
    torch.save(model.serialize(), folder / "best_model.pth")
    (folder / "conf.yml").write_text("system: clapsep\ndata: {name: MUSIC, root: data/mini}\n")
    (folder / "final_metrics.json").write_text(json.dumps({"sdr": 6.5, "n_items": 10}))
    model.save_pretrained(place / "somewhere")
    return folder


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on 127.0.0.1 that the client of this process talks to."""
    server, constants = Hub(), huggingface_hub.constants
    template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(asteroid.utils.hub_utils, "CACHE_DIR", str(tmp_path / "asteroid"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.close()
