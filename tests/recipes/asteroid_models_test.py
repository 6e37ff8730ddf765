"""Asteroid's ConvTasNet, System and Trainer with our losses, on tones, for a few steps."""

from __future__ import annotations

import doctest
import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from asteroid.engine.system import System
from asteroid.models import BaseModel, ConvTasNet

from asteroid_bimodal.data.batches import Batch
from asteroid_bimodal.utils.conf import load_conf

RECIPE = Path(__file__).parents[2] / "egs" / "music" / "asteroid_models"
SMALL = {
    "data.num_samples": 4000,
    "data.epoch_size": 24,
    "data.valid_size": 8,
    "data.num_workers": 0,
    "net.n_filters": 128,
    "net.kernel_size": 128,
    "net.stride": 64,
    "net.n_blocks": 3,
    "net.n_repeats": 1,
    "net.bn_chan": 16,
    "net.hid_chan": 24,
    "net.skip_chan": 16,
    "optim.lr": 5e-3,
    "training.epochs": 2,
    "training.accelerator": "cpu",
}


@pytest.fixture(scope="module")
def recipe():
    """The recipe's modules, by name."""
    names = ("variant", "film", "assigned", "train")
    sys.path.insert(0, str(RECIPE))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(RECIPE))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module", params=["film", "assigned"])
def trained(request, recipe, tone_set, tmp_path_factory):
    """Where a variant was trained: its name and its folder."""
    exp = tmp_path_factory.mktemp(request.param)
    values = {**SMALL, "data.root": tone_set.root, "variant": request.param}
    options = [text for key, value in values.items() for text in (f"--{key}", str(value))]
    recipe["train"].main(["--exp_dir", str(exp), *options])
    return request.param, exp


def test_the_loss_falls_and_mixtures_are_rebuilt(trained):
    _, exp = trained
    result = json.loads((exp / "result.json").read_text())
    before, after = result["before"], result["after"]
    scores = [x for when in (before, after) for kind in when.values() for x in kind.values()]
    assert all(map(math.isfinite, scores)) and result["steps"] == 12
    before, after = before["mixtures"], after["mixtures"]
    # Always the same examples, of equally loud tones.
    assert after["half_snr"] == before["half_snr"] == pytest.approx(3, abs=1)
    assert after["loss"] < before["loss"] - 0.05
    assert after["snr"] > before["snr"] + 1


def test_what_was_trained_is_saved_and_loads_with_asteroid(trained, tone_set):
    variant, exp = trained
    path = str(exp / "best_model.pth")
    torch.load(path, weights_only=True)
    torch.manual_seed(0)
    model, wav = BaseModel.from_pretrained(path).eval(), torch.randn(2, 4000)
    (checkpoint,) = exp.glob("logs/version_0/checkpoints/*.ckpt")
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(v, state[f"model.{k}"]) for k, v in model.state_dict().items())
    assert not [name for name in state if not name.startswith("model.")]
    with torch.no_grad():
        if variant == "assigned":
            assert type(model) is ConvTasNet
            assert model(wav).shape == (2, len(tone_set.tones), 4000)
        else:
            est = model(wav, [["violin", "flute", "cello"], ["flute", "violin", "cello"]])
            assert est.shape == (2, 3, 4000)
            alone = model(wav[1:], [["violin"]])
            torch.testing.assert_close(est[1, 1:2], alone[0], rtol=1e-3, atol=1e-4)
            assert not torch.allclose(est[0, 0], est[0, 1], atol=1e-4)


def test_systems_are_asteroids(recipe, tone_set):
    conf = load_conf([RECIPE / "local/conf.yml"])
    labels = list(tone_set.tones)
    assert recipe["assigned"].build(conf, labels).system is System
    own = set(vars(recipe["film"].build(conf, labels).system)) - set(vars(type("", (System,), {})))
    assert own == {"forward"}


def test_epochs_draw_other_examples(recipe):
    class Trainer:
        current_epoch = 3

        class train_dataloader:
            class dataset:
                epoch = 3

    recipe["train"].FreshDraws().on_train_epoch_end(Trainer, None)
    assert Trainer.train_dataloader.dataset.epoch == 4


def batch_of(sources: torch.Tensor, phrases: list[list[str]]) -> Batch:
    """One example, of sources (N, P, T)."""
    mixtures = sources.sum(1)[None]
    return Batch(mixtures, [["", ""]], [phrases], torch.ones(1, *sources.shape[:2]))


def test_perfect_estimates_of_each_variant(recipe):
    torch.manual_seed(0)
    sources = torch.randn(2, 2, 800)
    batch = batch_of(sources, [["d", "a"], ["b", "c"]])
    film, assigned = recipe["film"], recipe["assigned"]
    _, (mixtures, _) = film.to_pair(batch)
    rebuilt = film.FiLMLoss("mini", 8000, 1.0).remix(sources.view(1, 4, -1), (mixtures, None))
    torch.testing.assert_close(rebuilt, batch.mixtures)

    est = torch.zeros(1, 5, 800)  # of a, b, c, d and e, which does not sound
    est[0, [3, 0, 1, 2]] = sources.view(4, -1)
    for incomplete in (0, 1):
        inputs, targets = assigned.to_pair(batch, list("abcde"), incomplete)
        level = batch.mixture.square().mean().sqrt()
        assert inputs.square().mean() == pytest.approx(1, rel=1e-5)
        loss = assigned.AssignedLoss()
        assert loss(est / level, targets) == pytest.approx(0, abs=1e-10)
        torch.testing.assert_close(loss.remix(est / level, targets), batch.mixtures / level)
        noisy = est / level + torch.eye(5)[4, :, None]  # the absent one is heard
        assert loss(noisy, targets) == pytest.approx(1 / 3, rel=1e-4)


def test_examples_in_the_recipe(recipe):
    assert doctest.testmod(recipe["assigned"]) == (0, 2)


def test_help():
    result = subprocess.run(["bash", RECIPE / "run.sh", "--help"], capture_output=True, text=True)
    assert result.returncode == 0 and "--variant film|assigned" in result.stdout


def test_a_variant_that_does_not_exist(recipe, tone_set, tmp_path):
    options = ["--exp_dir", str(tmp_path), "--variant", "filmed", "--data.root", str(tone_set.root)]
    with pytest.raises(ValueError, match="Expected a variant of film, assigned, received 'filmed'"):
        recipe["train"].main(options)
