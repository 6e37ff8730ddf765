import csv
import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from pytorch_lightning import loggers

from asteroid_bimodal.engine import schema
from asteroid_bimodal.engine.build import build_system
from asteroid_bimodal.engine.schema import count_devices
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.engine.system import BiModalSystem
from asteroid_bimodal.engine.train import train
from asteroid_bimodal.engine.trainer import build_trainer, choose_precision
from asteroid_bimodal.models import BiModalUNet, load_separator
from asteroid_bimodal.report.training_curves import find_logs, read_panels
from asteroid_bimodal.utils.conf import save_conf
from asteroid_bimodal.utils.ledger import lock_file

QUICK = {
    "data.n_src": 4,
    "loss": "{crl: 0, cnt: 0}",
    "optim.schedule": "none",
    "training.epochs": 2,
}


def log_rows(exp_dir):
    rows = []
    for path in sorted(exp_dir.glob("logs/*/metrics.csv")):
        with path.open() as file:
            rows += list(csv.DictReader(file))
    return rows


@pytest.fixture(scope="module")
def broken_tones(tmp_path_factory, make_tone_set):
    """A set with an empty file among the clips."""
    tones = make_tone_set(tmp_path_factory.mktemp("broken"))
    (tones.root / "solo/audio/violin/train0_violin.wav").write_bytes(b"")
    return tones


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_conf, broken_tones):
    """An experiment of two epochs: only read it."""
    exp_dir = tmp_path_factory.mktemp("trained") / "exp"
    train(tiny_conf(broken_tones, **QUICK), exp_dir)
    return exp_dir


def test_every_figure_is_logged_once(trained):
    rows = log_rows(trained)
    means = [row["epoch"] for row in rows if row["train_url"]]
    assert means == [row["epoch"] for row in rows if row["val_sdr"]] == ["0", "1"]


def test_what_training_leaves(trained):
    names = {path.name for path in trained.iterdir()}
    files = {"conf.yml", "best_model.pth", "skipped.csv", "run.json", "checkpoints", "logs"}
    files.add("best_k_models.json")
    assert names == files
    model = BiModalUNet.from_pretrained(trained / "best_model.pth")
    assert not model.training and model.masker.get_config()["ngf"] == 4
    with (trained / "skipped.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == "solo/audio/violin/train0_violin.wav" and int(row["times"]) >= 1
    run = json.loads((trained / "run.json").read_text())
    assert (run["steps"], run["epochs"], run["num_devices"]) == (4, 2, 1)
    assert run["versions"]["torch"] == str(torch.__version__)
    logged = {name for row in log_rows(trained) for name, value in row.items() if value}
    assert {"step", "epoch", "loss_epoch", "train_url", "val_sdr", "lr-Adam"} <= logged


def test_what_begins_with_a_model_of_others_keeps_its_origin(tiny_conf, broken_tones, tmp_path):
    quick = {**QUICK, "loss": "{cnt: 0}", "system": "audiosep_bimodal", "training.epochs": 1}
    model = build_system(tiny_conf(broken_tones, **quick)).model
    model.origin = "AudioSep (a.ckpt)"
    model.save_pretrained(tmp_path / "imported")
    quick["training.init"] = tmp_path / "imported"
    train(tiny_conf(broken_tones, **quick), tmp_path / "exp")
    assert load_separator(tmp_path / "exp").origin == model.origin
    shutil.rmtree(tmp_path / "imported")
    train(tiny_conf(broken_tones, **{**quick, "training.epochs": 2}), tmp_path / "exp", resume=True)
    assert load_separator(tmp_path / "exp").origin == model.origin


def test_the_best_epoch_is_kept(trained):
    scores = [float(row["val_sdr"]) for row in log_rows(trained) if row.get("val_sdr")]
    (best,) = trained.glob("checkpoints/epoch=*.ckpt")
    assert len(scores) == 2 and f"epoch={scores.index(max(scores))}-" in best.name
    state = torch.load(best, weights_only=True)["state_dict"]
    model = BiModalUNet.from_pretrained(trained / "best_model.pth")
    assert all(
        torch.equal(value, state[f"model.{name}"]) for name, value in model.state_dict().items()
    )
    run = json.loads((trained / "run.json").read_text())
    assert run["best_val_sdr"] == pytest.approx(max(scores), abs=1e-4)


def test_checkpoints_hold_plain_values_and_no_frozen_weights(trained):
    checkpoint = torch.load(trained / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["training_config"]["masker"]["ngf"] == 4
    assert all("clap" not in name and "text" not in name for name in checkpoint["state_dict"])


def seconds_trained(exp_dir):
    checkpoint = torch.load(exp_dir / "checkpoints/last.ckpt", weights_only=True)
    return checkpoint["callbacks"]["Timer"]["time_elapsed"]["train"]


def test_resumed_training_equals_uninterrupted_training(trained, tmp_path, tiny_conf, broken_tones):
    exp_dir = tmp_path / "exp"
    train(tiny_conf(broken_tones, **{**QUICK, "training.epochs": 1}), exp_dir)
    before, seconds_before = log_rows(exp_dir), seconds_trained(exp_dir)
    train(tiny_conf(broken_tones, **QUICK), exp_dir, resume=True)
    assert seconds_trained(exp_dir) > seconds_before > 0
    skipped = [(folder / "skipped.csv").read_text() for folder in (exp_dir, trained)]
    assert skipped[0] == skipped[1]  # of both parts
    rows = log_rows(exp_dir)
    assert rows[: len(before)] == before  # nothing that was logged is lost
    assert [int(row["step"]) for row in rows if row.get("val_sdr")] == [1, 3]
    assert json.loads((exp_dir / "run.json").read_text())["steps"] == 4
    whole, parts = (
        torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
        for folder in (trained, exp_dir)
    )
    assert whole["global_step"] == parts["global_step"] == 4
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(parts["state_dict"][name], value, msg=name)


def test_the_last_checkpoint_is_the_last_also_when_an_earlier_one_is_better(trained):
    """Lightning's own `save_last` leaves last.ckpt at the best epoch."""
    checkpoint = torch.load(trained / "checkpoints/last.ckpt", weights_only=True)
    assert (checkpoint["epoch"], checkpoint["global_step"]) == (1, 4)
    assert len(list(trained.glob("checkpoints/*.ckpt"))) == 2


def test_a_trained_folder_is_left_alone(trained, tiny_conf, broken_tones, capsys):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    assert train(tiny_conf(broken_tones, **QUICK), trained) == trained / "best_model.pth"
    assert "is trained already; --resume true with more epochs goes on" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match=r"other values of data\.gain, optim\.lr: choose"):
        changes = {"optim.lr": 0.5, "data.gain": "[1.0,1.0]"}
        train(tiny_conf(broken_tones, **{**QUICK, **changes}), trained)
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def test_an_interrupted_run_goes_on_by_itself(trained, tmp_path, tiny_conf, broken_tones):
    exp_dir = tmp_path / "exp"
    train(tiny_conf(broken_tones, **{**QUICK, "training.epochs": 1}), exp_dir)
    # As if two epochs had been wanted and the second never came.
    (exp_dir / "best_model.pth").unlink()
    save_conf(tiny_conf(broken_tones, **QUICK), exp_dir / "conf.yml")
    best = train(tiny_conf(broken_tones, **QUICK), exp_dir)
    whole, parts = (BiModalUNet.from_pretrained(p) for p in (trained / "best_model.pth", best))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, msg=name)


def contents(exp_dir):
    return {path: path.read_bytes() for path in exp_dir.rglob("*") if path.is_file()}


def curves(exp_dir):
    panels = read_panels(find_logs(exp_dir))
    return {(p.title, s.name): (s.x.tolist(), s.y.tolist()) for p in panels for s in p.series}


def assert_same_weights(one, other):
    one, other = (torch.load(path, weights_only=True)["state_dict"] for path in (one, other))
    assert list(one) == list(other)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def assert_same_weights_of_system(checkpoint, model):
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    found = BiModalUNet.from_pretrained(model).state_dict()
    assert all(torch.equal(value, state[f"model.{name}"]) for name, value in found.items())


@pytest.fixture
def copied(trained, tmp_path):
    """The experiment of two epochs at another place, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "elsewhere" / "exp"))


@pytest.mark.parametrize(
    ("name", "workers"), [("SIGTERM", 1), ("SIGINT", 0), ("SIGHUP", 0), ("SIGUSR1", 0)]
)
def test_a_stopped_training_saves_and_goes_on(
    trained, tmp_path, tiny_conf, broken_tones, monkeypatch, capsys, name, workers
):
    step, number = BiModalSystem.training_step, getattr(signal, name)

    def stopped(self, *args):
        if self.global_step == 2:  # the first of two steps of the second epoch
            os.kill(os.getpid(), number)
            for process in multiprocessing.active_children():  # those who end a run tell them all
                process.terminate()
        return step(self, *args)

    before = signal.getsignal(number)
    monkeypatch.setattr(BiModalSystem, "training_step", stopped)
    conf = tiny_conf(broken_tones, **QUICK, **{"data.num_workers": workers})
    with pytest.raises(SystemExit) as left:
        run_script(lambda _: train(conf, tmp_path / "exp"))
    assert left.value.code == 128 + number and signal.getsignal(number) == before
    assert f"Stopped by {name}. The same command goes on" in capsys.readouterr().err
    last = tmp_path / "exp/checkpoints/last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 3
    assert not (tmp_path / "exp/best_model.pth").exists()
    if name == "SIGTERM":
        monkeypatch.undo()
        train(conf, tmp_path / "exp")
        assert_same_weights(trained / "checkpoints/last.ckpt", last)
        assert_same_weights(trained / "best_model.pth", tmp_path / "exp/best_model.pth")
        assert curves(tmp_path / "exp") == curves(trained)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masker.ngf": 8}, "last.ckpt do not fit the network"),
        ({"optim.optimizer": "sgd"}, "optimiser's state in .*last.ckpt does not fit SGD"),
    ],
)
def test_a_resume_that_cannot_work_changes_nothing(
    copied, tiny_conf, broken_tones, changes, message
):
    before = contents(copied)
    conf = tiny_conf(broken_tones, **{**QUICK, **changes, "training.epochs": 3})
    with pytest.raises(ValueError, match=message):
        train(conf, copied, resume=True)
    assert contents(copied) == before


def test_what_a_killed_run_left_undone_is_done(copied, trained, tiny_conf, broken_tones, capsys):
    """Killed while it wrote the last checkpoint, of which half is there, and its temporary."""
    (copied / "run.json").unlink()
    (copied / "best_model.pth").write_bytes(b"")
    last = copied / "checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    halves = [f"checkpoints/.{'0a' * 16}.ckpt", f".{'0a' * 16}.pth"]
    for name in halves:
        (copied / name).write_bytes(b"half")
    train(tiny_conf(broken_tones, **QUICK), copied)
    assert f"{last} is missing or damaged: training goes on from epoch=" in capsys.readouterr().out
    assert_same_weights(trained / "best_model.pth", copied / "best_model.pth")
    runs = [json.loads((folder / "run.json").read_text()) for folder in (trained, copied)]
    assert runs[0]["best_val_sdr"] == runs[1]["best_val_sdr"] and runs[1]["steps"] == 4
    assert not any((copied / name).exists() for name in halves)


def test_a_moved_folder_keeps_its_best_epoch(copied, tiny_conf, broken_tones):
    train(tiny_conf(broken_tones, **{**QUICK, "training.epochs": 3}), copied, resume=True)
    rows = [float(row["val_sdr"]) for row in log_rows(copied) if row.get("val_sdr")]
    (best,) = copied.glob("checkpoints/epoch=*.ckpt")
    assert len(rows) == 3 and f"epoch={rows.index(max(rows))}-" in best.name
    assert json.loads((copied / "run.json").read_text())["best_val_sdr"] == pytest.approx(max(rows))
    assert_same_weights_of_system(best, copied / "best_model.pth")


def test_a_best_checkpoint_that_is_missing(copied, tiny_conf, broken_tones, capsys):
    (best,) = copied.glob("checkpoints/epoch=*.ckpt")
    best.unlink()
    (copied / "run.json").unlink()
    train(tiny_conf(broken_tones, **QUICK), copied)
    assert f"{best}, the best epoch so far, is missing or damaged" in capsys.readouterr().out
    assert_same_weights_of_system(copied / "checkpoints/last.ckpt", copied / "best_model.pth")


def test_a_second_run_in_the_folder_is_refused(copied, tiny_conf, broken_tones):
    before = contents(copied)
    with lock_file(copied / "checkpoints/.lock"), pytest.raises(OSError, match="Another run"):
        train(tiny_conf(broken_tones, **QUICK), copied, resume=True)
    assert contents(copied) == before


def test_files_that_are_missing_beside_others(copied, tiny_conf, broken_tones):
    conf = tiny_conf(broken_tones, **QUICK)
    (copied / "run.json").unlink()
    (copied / "conf.yml").rename(copied / "away.yml")
    with pytest.raises(FileNotFoundError, match="no conf.yml .*: put the file back"):
        train(conf, copied)
    (copied / "away.yml").rename(copied / "conf.yml")
    shutil.rmtree(copied / "checkpoints")
    before = contents(copied)
    with pytest.raises(FileExistsError, match="without a checkpoint to go on from"):
        train(conf, copied)
    assert contents(copied) == before


def test_training_that_had_enough_is_not_begun_again(tmp_path, tiny_conf, tone_set, monkeypatch):
    """Killed after patience had ended it, before the best model was saved."""
    same = {"sdr": [1.0]}  # in every epoch
    monkeypatch.setattr(
        "asteroid_bimodal.engine.system.bss_evals", lambda pairs: [same for _ in pairs]
    )
    conf = tiny_conf(tone_set, **{**QUICK, "training.epochs": 4, "training.patience": 1})
    train(conf, tmp_path / "exp")
    steps = json.loads((tmp_path / "exp/run.json").read_text())["steps"]
    (tmp_path / "exp/run.json").unlink()

    def refuse(self, *args):
        raise AssertionError("trained again")

    monkeypatch.setattr(BiModalSystem, "training_step", refuse)
    train(conf, tmp_path / "exp")
    assert json.loads((tmp_path / "exp/run.json").read_text())["steps"] == steps == 4


def test_training_starts_from_a_saved_model(trained, tmp_path, tiny_conf, tone_set):
    changes = {"training.init": trained, "optim.lr": 0.0, "training.epochs": 1}
    best = train(tiny_conf(tone_set, **changes), tmp_path / "exp")
    before, after = (BiModalUNet.from_pretrained(p) for p in (trained / "best_model.pth", best))
    for name, value in before.named_parameters():
        torch.testing.assert_close(after.get_parameter(name), value, msg=name)
    with pytest.raises(ValueError, match="do not fit the network"):
        train(tiny_conf(tone_set, **changes, **{"masker.ngf": 2}), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_nothing_to_resume_from(tmp_path, tiny_conf, tone_set):
    with pytest.raises(FileNotFoundError, match="last.ckpt to resume from, found none"):
        train(tiny_conf(tone_set), tmp_path / "exp", resume=True)
    assert not (tmp_path / "exp").exists()


def test_a_time_limit_leaves_a_model_and_no_curves_of_a_failed_run(tmp_path, tiny_conf, tone_set):
    failed = tmp_path / "exp/logs/version_0"
    failed.mkdir(parents=True)
    (failed / "metrics.csv").write_text("step,val_sdr\n1,99\n")
    changes = {**QUICK, "data.epoch_size": 200, "training.max_minutes": 0.001}
    train(tiny_conf(tone_set, **changes), tmp_path / "exp")
    run = json.loads((tmp_path / "exp/run.json").read_text())
    assert 1 <= run["steps"] < 100 and run["best_val_sdr"] is not None
    assert (tmp_path / "exp/best_model.pth").is_file()
    assert all(row.get("val_sdr") != "99" for row in log_rows(tmp_path / "exp"))


@pytest.mark.parametrize(
    ("available", "supported", "expected"),
    [(True, True, "bf16-mixed"), (True, False, "32")],
)
def test_precision_on_a_gpu(monkeypatch, available, supported, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert choose_precision("auto") == expected


@pytest.mark.parametrize("capable", [True, False])
def test_precision_on_a_cpu(monkeypatch, capable):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    capabilities = {"avx512_bf16": capable}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto") == ("bf16-mixed" if capable else "32")


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_precision_as_given(precision):
    assert choose_precision(precision) == precision


@pytest.mark.parametrize(
    ("devices", "accelerator", "gpus", "expected"),
    [
        ("auto", "cpu", 8, 1),
        ("auto", "auto", 0, 1),
        ("auto", "gpu", 4, 4),
        ("-1", "gpu", 4, 4),
        ("2", "cpu", 0, 2),
        ("1", "gpu", 4, 1),
        ("0,", "gpu", 4, 1),
        ("0,1", "gpu", 4, 2),
        ("10", "gpu", 16, 10),
    ],
)
def test_devices(monkeypatch, devices, accelerator, gpus, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert count_devices(devices, accelerator) == expected


@pytest.mark.parametrize("devices", ["two", "", ",", "1.5", "0;1"])
def test_devices_that_are_none(devices):
    with pytest.raises(ValueError, match="devices takes a number, GPU ids such as 0,1 or auto"):
        count_devices(devices, "auto")


@pytest.mark.parametrize(
    ("key", "value", "attribute", "expected"),
    [
        ("training.gradient_clipping", "2.5", "gradient_clip_val", 2.5),
        ("training.accumulate", "4", "accumulate_grad_batches", 4),
        ("training.epochs", "7", "max_epochs", 7),
        ("training.precision", "bf16-mixed", "precision", "bf16-mixed"),
    ],
)
def test_options_reach_the_trainer(tiny_conf, tone_set, tmp_path, key, value, attribute, expected):
    trainer = build_trainer(tiny_conf(tone_set, **{key: value}), tmp_path)
    assert getattr(trainer, attribute) == expected


def test_patience_and_loggers(tiny_conf, tone_set, tmp_path):
    trainer = build_trainer(tiny_conf(tone_set, **{"training.patience": "3"}), tmp_path)
    stopping = {type(callback).__name__ for callback in trainer.callbacks}
    assert "EarlyStopping" in stopping
    names = {type(logger).__name__ for logger in trainer.loggers}
    assert names == {"_Rows"}


def test_a_logger_by_name_beside_the_csv(tiny_conf, tone_set, tmp_path, monkeypatch):
    made = []

    class WandbLogger(loggers.CSVLogger):
        def __init__(self, **arguments):
            made.append(arguments)
            super().__init__(tmp_path / "wandb")

    monkeypatch.setattr(loggers, "WandbLogger", WandbLogger)
    monkeypatch.setattr(schema, "find_spec", lambda name: True)
    conf = tiny_conf(tone_set, **{"training.logger": "wandb"})
    trainer = build_trainer(conf, tmp_path / "run")
    assert [type(logger).__name__ for logger in trainer.loggers] == ["_Rows", "WandbLogger"]
    (arguments,) = made
    assert (arguments["project"], arguments["name"]) == ("asteroid_bimodal", "run")


def test_a_run_without_a_whole_epoch(tone_set, tiny_conf):
    with pytest.raises(ValueError, match="does not fill a batch of 2: raise data.epoch_size"):
        tiny_conf(tone_set, **{"data.epoch_size": 1, "training.batch_size": 2})
