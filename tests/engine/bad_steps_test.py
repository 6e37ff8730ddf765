"""A step whose loss or gradient is not finite changes nothing; it is counted and recorded."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from asteroid_bimodal.engine import bad_steps
from asteroid_bimodal.engine.bad_steps import StepGuard
from asteroid_bimodal.engine.build import build_system

CONF = {"loss": "{crl: 0, cnt: 0}", "data.epoch_size": 6, "seed": 7}


def nan_input(system, batch):
    """The first layer's running statistics are NaN before the loss is."""
    batch = replace(batch, mixtures=batch.mixtures * torch.nan)
    return type(system).common_step(system, batch, 0)


def nan_loss(system, batch):
    report = type(system).common_step(system, batch, 0)
    return replace(report, total=report.total + torch.nan)  # of a finite gradient


def infinite_gradient(system, batch):
    report = type(system).common_step(system, batch, 0)
    weight = next(p for p in system.model.parameters() if p.requires_grad)
    return replace(report, total=report.total + (weight.flatten()[0] * 0).sqrt())


def fit(conf, folder, steps, bad=(), fault=None, **settings):
    """Trains on CPU; the batches of the numbers `bad` have the fault."""
    torch.manual_seed(0)
    system = build_system(conf)
    if fault:

        def step(batch, number, train=True):
            if number in bad:
                return fault(system, batch)
            return type(system).common_step(system, batch, number)

        system.common_step = step
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_epochs=1,
        limit_train_batches=steps,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        gradient_clip_val=5.0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **settings,
    )
    trainer.fit(system)
    return system


def state(system):
    moments = system.optimizer.state_dict()["state"]
    flat = [value for of_weight in moments.values() for value in of_weight.values()]
    return [*system.state_dict().values(), *flat]


@pytest.mark.parametrize("fault", [nan_input, nan_loss, infinite_gradient])
def test_a_bad_step_changes_nothing(tiny_conf, tone_set, tmp_path, fault):
    """Weights, moments and running statistics are bit by bit those of the step before."""
    conf = tiny_conf(tone_set, **CONF)
    before = fit(conf, tmp_path, 2)
    after = fit(conf, tmp_path, 3, bad=[2], fault=fault)
    assert any(isinstance(m, nn.BatchNorm2d) for m in after.modules())
    assert all(map(torch.equal, state(before), state(after)))
    assert (before.guard.count, after.guard.count) == (0, 1)
    (path,) = (tmp_path / bad_steps.FOLDER).iterdir()
    record = json.loads(path.read_text())
    assert (record["seed"], record["epoch"], record["batch"]) == (7, 0, 2)
    assert record["finite_loss"] == (fault is infinite_gradient)
    replayed = [after.train_loader.dataset[item] for item in record["items"]]
    assert [example.clips for example in replayed] == record["clips"]
    assert [example.captions for example in replayed] == record["captions"]


def test_training_goes_on_after_a_bad_step(tiny_conf, tone_set, tmp_path):
    conf = tiny_conf(tone_set, **CONF)
    system = fit(conf, tmp_path, 3, bad=[0], fault=nan_loss)
    assert system.guard.count == 1 and all(torch.isfinite(v).all() for v in state(system))
    assert all(of_weight["step"] == 2 for of_weight in system.optimizer.state.values())


def test_one_bad_batch_spoils_the_step_that_it_is_gathered_into(tiny_conf, tone_set, tmp_path):
    conf = tiny_conf(tone_set, **CONF)
    system = fit(conf, tmp_path, 2, bad=[0], fault=nan_loss, accumulate_grad_batches=2)
    assert system.guard.count == 1 and not system.optimizer.state
    records = [json.loads(p.read_text()) for p in (tmp_path / bad_steps.FOLDER).iterdir()]
    assert {(r["batch"], r["finite_loss"]) for r in records} == {(0, False), (1, True)}


def test_bad_steps_in_a_row_end_the_training(tiny_conf, tone_set, tmp_path):
    conf = tiny_conf(tone_set, **CONF, **{"training.max_bad_steps": 2})
    with pytest.raises(ValueError, match=f"2 steps in a row.*{tmp_path}/{bad_steps.FOLDER}.*lower"):
        fit(conf, tmp_path, 3, bad=[1, 2], fault=nan_loss)


def test_the_count_goes_into_the_checkpoint(tiny_conf, tone_set):
    first, second = (build_system(tiny_conf(tone_set, **CONF)) for _ in range(2))
    first.guard.count = 3
    checkpoint = {}
    first.on_save_checkpoint(checkpoint)
    second.on_load_checkpoint(checkpoint)
    assert second.guard.count == 3 and checkpoint["training_config"]["seed"] == 7


@pytest.mark.parametrize(
    ("scale", "finite", "counted"), [(2.0**16, True, 0), (1, True, 1), (2.0**16, False, 1)]
)
def test_what_the_scale_of_float16_skips_is_no_bad_step(tmp_path, scale, finite, counted):
    """But what no scale is to blame for is one."""
    scaler = SimpleNamespace(get_scale=lambda: scale)
    trainer = SimpleNamespace(
        precision_plugin=SimpleNamespace(scaler=scaler),
        default_root_dir=tmp_path,
        global_rank=0,
        world_size=1,
        current_epoch=0,
    )
    module = SimpleNamespace(
        trainer=trainer, train_loader=SimpleNamespace(dataset=[0]), config={}, global_step=0
    )
    guard, weight = StepGuard(10), nn.Parameter(torch.ones(1))
    weight.grad = torch.full((1,), torch.inf)
    guard.note(SimpleNamespace(clips=[["a.wav"]], captions=[["a"]]), 0, finite)
    guard.judge(module, torch.optim.SGD([weight]), weight.grad.norm())
    assert weight.grad is None and guard.count == counted


def test_records_are_bounded(tiny_conf, tone_set, tmp_path, monkeypatch):
    monkeypatch.setattr(bad_steps, "_MOST_RECORDS", 2)
    system = fit(tiny_conf(tone_set, **CONF), tmp_path, 3, bad=[0, 1, 2], fault=nan_loss)
    assert system.guard.count == 3 and len(list((tmp_path / bad_steps.FOLDER).iterdir())) == 2
