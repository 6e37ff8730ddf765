"""The dataclasses of the configuration against the YAML files that people edit."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from torch import nn

from asteroid_bimodal.engine.recipe import read_recipe, recipe_conf
from asteroid_bimodal.engine.schema import Config
from asteroid_bimodal.losses.terms import TERMS
from asteroid_bimodal.utils.conf import Settings, describe_changes, leaf_keys

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/music"
SYSTEMS = sorted(path.stem for path in (ROOT / "conf/systems").glob("*.yml"))


def test_the_yaml_has_every_key_and_no_other():
    """Its values pass the checks of types and ranges, or they could not be added."""
    settings = Settings(Config)
    settings.add_file(RECIPE / "local/conf.yml")
    tree = yaml.safe_load((RECIPE / "local/conf.yml").read_text())
    assert tree.pop("loss") == {}
    known = {path for path in settings.leaves if not path.startswith("loss.")}
    assert set(leaf_keys(tree)) == set(settings.values) == known


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("recipe", ["music", "vggsound", "audiocaps"])
def test_every_system_is_valid_on_every_data_set(system, recipe):
    singles = ["--n_src", "1"] if system == "pit" else []
    for data in ("mini", "full"):
        conf = recipe_conf(ROOT / "egs" / recipe, ["--data", data, "--system", system, *singles])
        assert conf.system == system and not OmegaConf.missing_keys(conf)
        own = yaml.safe_load((ROOT / f"conf/systems/{system}.yml").read_text())["loss"]
        assert set(conf.loss) == set(own)


def test_a_data_set_tunes_terms_and_adds_none():
    def loss(*options):
        return OmegaConf.to_container(recipe_conf(RECIPE, options).loss)

    url = {"weight": 5.0, "start": 0}
    late = {"weight": 5.0, "start": 250}
    assert loss() == {"url": url, "crl": late, "cnt": {"weight": 1.0, "start": 250}}
    assert loss("--data", "full")["cnt"] == {"weight": 0.5, "start": 0}
    assert loss("--system", "clapsep") == {"url": url}
    assert loss("--system", "clapsep", "--loss.crl", "5") == {"url": url, "crl": late}
    weak = {"consistency": url, "timbre": {"weight": 25.0, "start": 0}}
    assert loss("--system", "weaksup") == weak


def test_options_of_the_loss():
    options = ["--loss.crl.start", "0", "--loss.cnt.weight", "2", "--loss.url", "3"]
    conf, changes = read_recipe(RECIPE, [*options, "--loss.absent", "{weight: 4, start: 7}"])
    assert OmegaConf.to_container(conf.loss) == {
        "url": {"weight": 3.0, "start": 0},
        "crl": {"weight": 5.0, "start": 0},
        "cnt": {"weight": 2.0, "start": 250},
        "absent": {"weight": 4.0, "start": 7},
    }
    assert "loss.url.weight 5.0 → 3.0" in describe_changes(changes).splitlines()
    for off in ("0", "null", "false"):
        assert set(recipe_conf(RECIPE, ["--loss.cnt", off]).loss) == {"url", "crl"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--optimizer adamm",
            r"optimizer must be one of .*\(nearest: adam\); received adamm",
        ),
        ("--precision fp16", r"training.precision must be .*\(nearest: 16-mixed\); received fp16"),
        (
            "--masker.num_heads 5",
            r"num_heads must divide the 96 channels .*received 5 \(nearest: 4\)",
        ),
        ("--masker.num-heads 5", "num_heads must divide the 96 channels"),
        ("--lr -1", "optim.lr must be at least 0; received -1"),
        ("--epochs 0", "training.epochs must be at least 1; received 0"),
        ("--loss.cntt 1", "Unknown key 'loss.cntt' .*Did you mean loss.cnt"),
        ("--loss.cnt.wieght 1", "Did you mean loss.cnt.weight"),
        ("--loss.url -1", "loss.url.weight must be at least 0"),
        ("--loss.url 0", "No loss term counts from the first step"),
        ("--learning_rate 1", "Unknown key 'learning_rate' .*Did you mean optim.lr"),
        ("--learning-rate 1", "Unknown key 'learning_rate' .*Did you mean optim.lr"),
        ("--batch_size eight", "training.batch_size takes a whole number such as 8; received"),
        ("--data.takes.tset 1", "Did you mean data.takes.test"),
        ("--gain [0.5,-1]", r"data.gain must be at least 0; received \[0.5, -1.0\]"),
        ("--data.share 1.5", "data.share must be at most 1; received 1.5"),
        ("--devices two", "training.devices takes a number, GPU ids such as 0,1 or auto"),
        (
            "--batch_size 16 --accelerator cpu --devices 6",
            "16 examples cannot be shared by 6 devices: .*batch_size of 18, or 4 devices",
        ),
        ("--separator clapsep", "separator must be one of .*bimodal_unet, .*nearest: clipsep"),
        ("--n-src 2 --system pit", "--n_src of at most 1"),
        ("--remix.start 5 --system clapsep", r"remix.start is for systems .*terms url and"),
        ("--remix.start 5 --system bimodal_semi", "data.clean.share of 0.05"),
        ("--config nowhere.yml", "nowhere.yml does not exist"),
    ],
)
def test_what_a_configuration_cannot_be(options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        recipe_conf(RECIPE, options.split())
    assert "\n" not in str(caught.value)


def test_a_logger_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(
        "asteroid_bimodal.engine.schema.find_spec", lambda name: name in ("csv", "tensorboard")
    )
    with pytest.raises(ValueError, match="wandb needs the package wandb: .*csv or tensorboard"):
        recipe_conf(RECIPE, ["--logger", "wandb"])
    assert recipe_conf(RECIPE, ["--logger", "tensorboard"]).training.logger == "tensorboard"
    with pytest.raises(ValueError, match="nearest: tensorboard"):
        recipe_conf(RECIPE, ["--logger", "tensorbord"])


class Louder(nn.Module):
    """A toy term: estimates of captions are as loud as their mixtures."""

    needs = frozenset({"captions"})

    def forward(self, outputs):
        return (outputs.captions - outputs.mixtures).mean((1, 2, 3)).abs()


def test_a_new_term_is_a_class_and_a_line(monkeypatch, tiny_conf, tone_set):
    from asteroid_bimodal.engine.build import build_system

    monkeypatch.setitem(TERMS, "louder", Louder)
    conf = tiny_conf(tone_set, **{"loss": "{cnt: 0}", "loss.louder": "{weight: 2, start: 0}"})
    system = build_system(conf)
    before = [p.detach().clone() for p in system.model.parameters()]
    report = system.common_step(next(iter(system.train_dataloader())), 0)
    assert set(report.terms) == {"url", "crl", "louder"} and report.terms["louder"] > 0
    expected = sum(system.loss_func.weights[name] * v for name, v in report.terms.items())
    assert report.total == expected and system.loss_func.weights["louder"] == 2
    report.total.backward()
    system.optimizer.step()
    after = system.model.parameters()
    assert any(not (a == b).all() for a, b in zip(before, after, strict=True))
    with pytest.raises(ValueError, match="Did you mean loss.louder"):
        tiny_conf(tone_set, **{"loss.loudr": 1})
