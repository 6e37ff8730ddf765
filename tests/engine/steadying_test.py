"""Warm-up and averaged weights: each step's rate and the average by hand, and a resumed run."""

from __future__ import annotations

import pytest
import torch

from asteroid_bimodal.engine.system import BiModalSystem
from asteroid_bimodal.engine.train import train
from asteroid_bimodal.models import BiModalUNet

LR, DECAY = 0.01, 0.15
STEADY = {
    "data.n_src": 4,
    "loss": "{crl: 0, cnt: 0}",
    "optim.lr": LR,
    "optim.schedule": "step",
    "optim.step_epochs": 1,
    "optim.warmup_steps": 3,
    "training.ema": DECAY,
    "training.epochs": 2,  # of two steps each
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_conf, tone_set):
    """An experiment, with the rate of every step and the weights after it."""
    rates, weights = [], []
    step = BiModalSystem.optimizer_step

    def before(self, optimizer):
        rates.append(optimizer.param_groups[0]["lr"])

    def stepped(self, *args, **kwargs):
        step(self, *args, **kwargs)
        weights.append({name: p.detach().clone() for name, p in self.named_parameters()})

    exp_dir = tmp_path_factory.mktemp("steady") / "exp"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BiModalSystem, "on_before_optimizer_step", before)
        patch.setattr(BiModalSystem, "optimizer_step", stepped)
        train(tiny_conf(tone_set, **STEADY), exp_dir)
    return exp_dir, rates, weights


def last_checkpoint(exp_dir):
    return torch.load(exp_dir / "checkpoints/last.ckpt", weights_only=True)


def test_warm_up_raises_the_rate_and_leaves_the_schedule_alone(trained):
    exp_dir, rates, _ = trained
    assert rates == pytest.approx([LR / 3, LR * 2 / 3, LR / 10, LR / 10])
    (group,) = last_checkpoint(exp_dir)["optimizer_states"][0]["param_groups"]
    assert group["lr"] == pytest.approx(LR / 100)


def test_the_average_is_its_recursion_and_what_is_saved(trained):
    exp_dir, _, weights = trained
    average = weights[0]
    for count, current in enumerate(weights[1:], start=1):
        kept = min(DECAY, (1 + count) / (10 + count))
        average = {name: kept * average[name] + (1 - kept) * current[name] for name in current}
    checkpoint = last_checkpoint(exp_dir)
    for name, value in average.items():
        torch.testing.assert_close(checkpoint["state_dict"][name], value)
        torch.testing.assert_close(checkpoint["current_model_state"][name], weights[-1][name])


def test_the_best_model_is_averaged(trained):
    exp_dir, _, _ = trained
    (best,) = exp_dir.glob("checkpoints/epoch=*.ckpt")
    state = torch.load(best, weights_only=True)["state_dict"]
    saved = BiModalUNet.from_pretrained(exp_dir / "best_model.pth").state_dict()
    assert all(torch.equal(value, state[f"model.{name}"]) for name, value in saved.items())


def test_a_resumed_run_equals_an_uninterrupted_one(trained, tmp_path, tiny_conf, tone_set):
    exp_dir = tmp_path / "exp"
    train(tiny_conf(tone_set, **{**STEADY, "training.epochs": 1}), exp_dir)
    train(tiny_conf(tone_set, **STEADY), exp_dir, resume=True)
    whole, parts = last_checkpoint(trained[0]), last_checkpoint(exp_dir)
    for kind in ("state_dict", "current_model_state"):
        for name, value in whole[kind].items():
            torch.testing.assert_close(parts[kind][name], value, msg=f"{kind} {name}")
