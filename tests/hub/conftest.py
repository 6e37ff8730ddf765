"""An experiment as training and evaluation leave it, and a hub to publish it on."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import asteroid.utils.hub_utils
import huggingface_hub.constants
import numpy as np
import pytest
import torch

from asteroid_bimodal.engine.examples import save_examples
from asteroid_bimodal.hub import write_publish_dir
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.report import Example

sys.path.insert(0, str(Path(__file__).parent))
from hub_server import TOKEN, Hub  # noqa: E402

FILES = {
    "conf.yml": "system: bimodal_clap\nseed: 0\n"
    "data: {name: MUSIC, root: data/mini, n_src: 2, rendered: true}\n"
    "loss: {url: {weight: 5.0}, crl: {weight: 5.0}}\n",
    "run.json": '{"command": "train.py --exp_dir exp/tiny", "minutes": 3.5}',
    "final_metrics.json": json.dumps(
        {
            "sdr": 6.5,
            "n_items": 10,
            "test_list": "test_2src_10.csv",
            "interval_95": {"sdr": [5.5, 7.5]},
        }
    ),
    "final_metrics_3src.json": '{"sdr": 3.25, "n_items": 10, "test_list": "test_3src_10.csv"}',
    "metrics.csv": "item,label,sdr\n0,violin,6.5\n",
    "report.html": "<!doctype html>",
}


@pytest.fixture(scope="session")
def tiny_model():
    """Makes a separator for the mini CLAP's queries, or for others."""

    def make(query_encoder="mini", **changes):
        torch.manual_seed(0)
        masker = dict(cond_dim=128, pooled_dim=128, num_downs=5, ngf=2, out_dim=4, num_heads=2)
        return BiModalUNet(8000, 126, 32, query_encoder, **{**masker, **changes}).eval()

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_model):
    """An experiment that nobody changes."""
    folder = tmp_path_factory.mktemp("exp") / "tiny"
    folder.mkdir()
    torch.save(tiny_model().serialize(), folder / "best_model.pth")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "logs/version_0").mkdir(parents=True)
    log = "step,val_sdr,train_url\n99,1.0,0.5\n199,2.0,0.25\n"
    (folder / "logs/version_0/metrics.csv").write_text(log)
    noise = np.random.default_rng(0).uniform(-2, 2, (3, 4000)).astype(np.float32)
    phrases = ["The sound of violin", "The sound of flute"]
    example = Example("item_000", 8000, noise[0], noise[1:], noise[1:] / 2, phrases, [{}, {}])
    save_examples([example], folder / "examples")
    write_publish_dir(folder, repo_id="me/tiny")
    return folder


@pytest.fixture
def experiment(finished, tmp_path):
    return shutil.copytree(
        finished, tmp_path / "tiny", ignore=shutil.ignore_patterns("publish_dir")
    )


@pytest.fixture
def folder(finished, tmp_path):
    """What is published of it, without the query encoder."""
    return shutil.copytree(finished / "publish_dir", tmp_path / "publish_dir")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that the client of this process talks to, with nothing in the cache yet.

    What HF_ENDPOINT, HF_HUB_CACHE and HF_HUB_DISABLE_XET set is read when the client is imported;
    large files go by Git LFS here, for Xet's own protocol is closed.
    """
    server = Hub()
    constants = huggingface_hub.constants
    template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(asteroid.utils.hub_utils, "CACHE_DIR", str(tmp_path / "asteroid"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.close()


@pytest.fixture
def waits(monkeypatch):
    """How long was waited, in seconds; nobody really waits."""
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited
