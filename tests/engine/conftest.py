"""Configurations of a separator that trains in seconds, on tones."""

from __future__ import annotations

from pathlib import Path

import pytest

from asteroid_bimodal.engine.recipe import recipe_conf

RECIPE = Path(__file__).parents[2] / "egs" / "music"
TINY = {
    "data.num_samples": 4080,
    "data.eval_samples": 8000,
    "data.epoch_size": 4,
    "data.num_workers": 0,
    "masker.out_dim": 4,
    "masker.num_downs": 5,
    "masker.ngf": 4,
    "masker.num_heads": 2,
    "loss.crl.start": 0,
    "loss.cnt.start": 0,
    "loss.timbre.start": 0,
    "loss.timbre_joint.start": 0,
    "sound_unet.ngf": 2,
    "film_resunet.ngf": 2,
    "res_unet30.ngf": 2,
    "timbre.steps": 2,
    "timbre.channels": 8,
    "training.batch_size": 2,
    "training.epochs": 1,
    "training.max_minutes": "null",
    "training.precision": "32",
    "training.accelerator": "cpu",
}


def make_conf(tones, system="bimodal_clap", **changes):
    values = {**TINY, "data.root": tones.root, **changes}
    options = [text for key, value in values.items() for text in (f"--{key}", str(value))]
    return recipe_conf(RECIPE, ["--data", "mini", "--system", system, *options])


@pytest.fixture(scope="session")
def tiny_conf():
    """Makes the configuration of a system on a tone set, with changes."""
    return make_conf
