"""The recipe of the mini CLIP and the mini ResNet in the smallest size that runs."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from asteroid_bimodal.queries import ClipImageEncoder, ClipTextEncoder, ResNetFrameEncoder

RECIPE = Path(__file__).parents[2] / "egs" / "mini_clip"
SMALL = {
    "album.singles": 2,
    "album.pairs": 1,
    "clip.width": 16,
    "clip.vision_layers": 1,
    "clip.text_layers": 1,
    "clip.projection": 8,
    "resnet.stem": 4,
    "resnet.channels": "[4,4,4,8]",
    "batch.singles": 4,
    "batch.pairs": 3,
    "training.text_steps": 2,
    "training.clip_steps": 2,
    "training.resnet_steps": 2,
    "test.singles": 1,
    "test.pairs": 1,
}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """What stages 0 and 1 leave."""
    exp = tmp_path_factory.mktemp("mini_clip")
    path, modules = list(sys.path), set(sys.modules)
    options = [text for key, value in SMALL.items() for text in (f"--{key}", str(value))]
    for script in ("train.py", "eval.py"):
        runpy.run_path(str(RECIPE / script))["main"](["--exp_dir", str(exp), *options])
    sys.path[:] = path
    for name in set(sys.modules) - modules:  # "pictures" and the like are other recipes' names, too
        if getattr(sys.modules[name], "__file__", None) and "egs" in sys.modules[name].__file__:
            del sys.modules[name]
    return exp


def test_the_encoders_read_what_was_trained(experiment):
    text, image = ClipTextEncoder(experiment / "clip"), ClipImageEncoder(experiment / "clip")
    assert text.pooled_dim == image.pooled_dim == 8
    assert text([["violin", "a photo of a flute"]]).pooled.shape == (1, 2, 8)
    assert ResNetFrameEncoder(experiment / "resnet", image_size=56).pooled_dim == 8


def test_figures(experiment):
    figures = json.loads((experiment / "final_metrics.json").read_text())
    assert set(figures) == {"clip", "resnet"}
    shares = [figures["clip"][f"single_top1_{name}"] for name in ("prompt", "word")]
    shares += [figures["clip"]["pair_top1"], figures["resnet"]["nearest_mean_top1"]]
    assert all(0 <= share <= 1 for share in shares)


def test_export(experiment, tmp_path):
    script = runpy.run_path(str(RECIPE / "local/export.py"))
    script["export"](experiment, tmp_path)
    assert ClipTextEncoder(tmp_path / "mini_clip").pooled_dim == 8
    assert (tmp_path / "mini_resnet/model.safetensors").is_file()
    script["NETWORKS"]["clip"] = ("mini_clip", (), 10)
    with pytest.raises(ValueError, match="Expected at most 10 bytes"):
        script["export"](experiment, tmp_path)
