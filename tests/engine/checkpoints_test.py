"""Checkpoints that are torn, rotten, empty or gone, and writes that fail."""

import errno
import math
import os
import shutil
import types

import pytest
import torch

from asteroid_bimodal.engine import checkpoints
from asteroid_bimodal.engine.build import build_system
from asteroid_bimodal.engine.checkpoints import Checkpoints, WholeFiles, find_checkpoint
from asteroid_bimodal.engine.train import train
from asteroid_bimodal.utils.checkpoints import read_tensors

DAMAGES = {
    "torn": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "rotten": lambda data: bytes(
        byte ^ (len(data) // 2 <= place < len(data) // 2 + 50) for place, byte in enumerate(data)
    ),
    "another file": lambda data: b"no checkpoint",
}


@pytest.fixture(scope="module")
def conf(tiny_conf, tone_set):
    return tiny_conf(tone_set, loss="{crl: 0, cnt: 0}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, conf):
    exp_dir = tmp_path_factory.mktemp("trained") / "exp"
    train(conf, exp_dir)
    return exp_dir


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "exp")


@pytest.fixture(scope="module")
def system(conf):
    return build_system(conf)


def test_the_last_one_is_the_newest(copied, system):
    assert find_checkpoint(copied, system).name == "last.ckpt"


@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
def test_the_newest_whole_one_takes_the_place_of_a_damaged_one(copied, system, damage, capsys):
    last = copied / "checkpoints/last.ckpt"
    if damage == "gone":
        last.unlink()
    else:
        last.write_bytes(DAMAGES[damage](last.read_bytes()))
    found = find_checkpoint(copied, system)
    assert found.name.startswith("epoch=0-val_sdr=")
    expected = f"{last} is missing or damaged: training goes on from {found.name}, step 2.\n"
    assert capsys.readouterr().out == expected


def test_none_is_whole(copied, system):
    for path in copied.glob("checkpoints/*.ckpt"):
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="No checkpoint of .* can be read .*: put one back"):
        find_checkpoint(copied, system)


def test_one_of_slurm_counts_while_it_is_the_newest(copied, system):
    content = read_tensors(copied / "checkpoints/last.ckpt")
    torch.save({**content, "global_step": 3}, copied / "hpc_ckpt_1.ckpt")
    assert find_checkpoint(copied, system).name == "hpc_ckpt_1.ckpt"


def test_a_checkpoint_tells_no_place(trained):
    for path in trained.glob("checkpoints/*.ckpt"):
        content = read_tensors(path)
        assert str(trained.parent) not in str(content["callbacks"])


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path, save = tmp_path / "last.ckpt", torch.save
    WholeFiles().save_checkpoint({"step": 1}, path)

    def fill(content, file):
        save(content, file)
        file.truncate(100)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", fill)
    with pytest.raises(OSError, match="No space left") as full:
        WholeFiles().save_checkpoint({"step": 2}, path)
    assert full.value.errno == errno.ENOSPC
    assert read_tensors(path) == {"step": 1} and list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_elsewhere(tmp_path, monkeypatch):
    """The folder for temporary files is another file system's, from which a move is a copy."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", None)
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda *args: moved.append(args) or replace(*args))
    WholeFiles().save_checkpoint({"step": 1}, tmp_path / "exp/last.ckpt")
    assert read_tensors(tmp_path / "exp/last.ckpt") == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]


def recording(folder, score, epoch):
    """What `Checkpoints` asks of a trainer, which notes the files that are there at each write."""
    folder.mkdir(exist_ok=True)
    seen = []

    def save(path, weights_only):
        path.touch()
        seen.append((path.name, sorted(p.name for p in folder.iterdir())))

    return types.SimpleNamespace(
        callback_metrics={"val_sdr": torch.tensor(score)},
        current_epoch=epoch,
        should_stop=False,
        is_global_zero=True,
        save_checkpoint=save,
        world_size=1,
        seen=seen,
    )


def test_a_new_best_one_is_named_before_the_old_one_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_log_means", lambda trainer: None)
    folder = tmp_path / "checkpoints"
    callback, scores = Checkpoints(folder), [math.nan, 1.0, 0.5, 2.0]
    names = ["epoch=0-val_sdr=-inf.ckpt", "epoch=1-val_sdr=1.00.ckpt", "epoch=3-val_sdr=2.00.ckpt"]
    seen = []
    for epoch, score in enumerate(scores):
        trainer = recording(folder, score, epoch)
        (folder / "mine.ckpt").touch()  # what a user put there is not ours to remove
        callback.on_train_epoch_end(trainer, None)
        seen.append(trainer.seen)
    last, mine = "last.ckpt", "mine.ckpt"
    assert seen == [
        [(names[0], [names[0], mine]), (last, [names[0], last, mine])],
        [(names[1], [names[0], names[1], last, mine]), (last, [names[0], names[1], last, mine])],
        [(last, [names[1], last, mine])],
        [(names[2], [names[1], names[2], last, mine]), (last, [names[1], names[2], last, mine])],
    ]
    assert sorted(path.name for path in folder.iterdir()) == [names[2], last, mine]
    assert callback.state_dict() == {"best": names[2], "score": 2.0, "over": False}


def test_the_means_of_an_epoch_that_goes_on_are_of_all_processes(tmp_path):
    """Only the first one's checkpoint is written, and each goes on from it."""

    def reduce(tensor, reduce_op):
        return tensor.add_({"mean": 5.0}[reduce_op]).div_(2)  # in place, with another process's 5

    kind = types.SimpleNamespace(on_epoch=True, is_mean_reduction=True)
    loss = types.SimpleNamespace(
        value=torch.tensor(3.0), cumulated_batch_size=torch.tensor(2), meta=kind
    )
    trainer = types.SimpleNamespace(
        strategy=types.SimpleNamespace(reduce=reduce),
        fit_loop=types.SimpleNamespace(epoch_loop=types.SimpleNamespace(_results={"loss": loss})),
    )
    saved = {}
    Checkpoints(tmp_path).on_save_checkpoint(trainer, None, saved)
    assert saved["sums"] == {"loss": (4.0, 2)} and loss.value == 3
