"""Training that is killed, again and again, ends with the model of training that was not."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from asteroid_bimodal.report.training_curves import find_logs, read_panels

SCRIPT = Path(__file__).with_name("train_and_die.py")
CHANGES = {
    "training.epochs": 2,
    "data.epoch_size": 6,
    "data.num_workers": 1,
    "training.checkpoint_minutes": 0,  # after every step
}


def start(tones, exp_dir, moment, changes=CHANGES):
    options = [tones.root, exp_dir, moment, "SIGKILL", json.dumps(changes)]
    return subprocess.Popen(
        [sys.executable, SCRIPT, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def assert_equal(one, other):
    for name in ("best_model.pth", "checkpoints/last.ckpt"):
        states = [torch.load(p / name, weights_only=True)["state_dict"] for p in (one, other)]
        assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    best = [[path.name for path in p.glob("checkpoints/epoch=*")] for p in (one, other)]
    assert best[0] == best[1] and len(best[0]) == 1
    runs = [json.loads((p / "run.json").read_text()) for p in (one, other)]
    for key in ("steps", "epochs", "parameters", "best_val_sdr"):
        assert runs[0][key] == runs[1][key]
    assert {path.name for path in other.iterdir()} == {path.name for path in one.iterdir()}
    assert not list(other.rglob(".*.ckpt")) and not list(other.rglob(".*.pth"))


def curves(exp_dir):
    panels = read_panels(find_logs(exp_dir))
    return {(p.title, s.name): (s.x.tolist(), s.y.tolist()) for p in panels for s in p.series}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tone_set):
    exp_dir = tmp_path_factory.mktemp("whole") / "exp"
    assert start(tone_set, exp_dir, "never").wait() == 0
    return exp_dir


@pytest.mark.slow
def test_killed_where_it_hurts(whole, tone_set, tmp_path):
    """Half of a best checkpoint is there; that is and the last one is not; no run.json."""
    for moment in ("writing:3", "written:1", "exported:1"):
        assert start(tone_set, tmp_path / "exp", moment).wait() == -9, moment
    assert (tmp_path / "exp/best_model.pth").exists() and not (tmp_path / "exp/run.json").exists()
    assert start(tone_set, tmp_path / "exp", "never").wait() == 0
    assert_equal(whole, tmp_path / "exp")
    assert curves(tmp_path / "exp") == curves(whole)


@pytest.mark.slow
def test_killed_at_every_kind_of_moment_and_at_random(tone_set, tmp_path):
    changes = {**CHANGES, "training.epochs": 3, "data.epoch_size": 8}
    began = time.monotonic()
    assert start(tone_set, tmp_path / "whole", "never", changes).wait() == 0
    seconds = time.monotonic() - began
    moments = ["step:2", "stepped:1", "writing:2", "validation:1", "writing:1", "written:1"]
    moments += ["writing:2", "step:3", "validation:1", "written:4", "export:1", "exported:1"]
    rng, kills, rounds = random.Random(0), 0, 0
    while kills < 20 or rounds < 2:
        exp_dir, rounds = tmp_path / f"killed{rounds}", rounds + 1
        for moment in moments if rounds == 1 else ():
            code = start(tone_set, exp_dir, moment, changes).wait()
            assert code in (-9, 0), moment
            kills += code == -9
        while not (exp_dir / "run.json").exists():
            process = start(tone_set, exp_dir, "never", changes)
            try:
                process.wait(rng.uniform(0.3, 1.0) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        assert_equal(tmp_path / "whole", exp_dir)
    print(f"{kills} kills of {rounds} experiments: the best models are those of a whole run")
