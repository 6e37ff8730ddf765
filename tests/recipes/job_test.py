"""One job of two tasks: under SLURM's variables, and as two nodes of torchrun on this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from asteroid_bimodal.data.pinned import read_test_list, write_test_list

pytestmark = pytest.mark.slow
RUN = Path(__file__).parents[2] / "egs/music/run.sh"
OPTIONS = """
    --data.takes.train 2 --data.takes.valid 1 --data.takes.test 1 --data.take_seconds [2.0,3.0]
    --data.test_n_src [2] --data.num_samples 8160 --data.eval_samples 16320 --data.valid_items 17
    --data.test_items 3 --data.epoch_size 8 --masker.out_dim 4 --masker.num_downs 5 --masker.ngf 4
    --masker.num_heads 2 --loss.crl.start 0 --loss.cnt.start 0 --training.batch_size 4
    --training.accelerator cpu --training.precision 32 --optim.lr 1e-6
""".split()
LOSSES = ["loss_epoch", "train_url", "train_crl", "train_cnt"]


def free_port() -> str:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def start(command, **variables) -> subprocess.Popen:
    return subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def slurm(*options) -> list[subprocess.Popen]:
    """The recipe as two tasks, one on each of two nodes."""
    job = {"SLURM_NTASKS": "2", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "1"}
    job |= {"SLURM_STEP_NUM_TASKS": "2"}
    job |= {"SLURM_JOB_ID": "1", "SLURM_NODELIST": "127.0.0.1", "MASTER_PORT": free_port()}
    command = ["bash", RUN, *OPTIONS, "--devices", 1, "--num_nodes", 2, *options]
    return [
        start(command, **job, SLURM_PROCID=str(n), SLURM_NODEID=str(n), SLURM_LOCALID="0")
        for n in range(2)
    ]


def torchrun(*options) -> list[subprocess.Popen]:
    """The recipe under two launchers, as on two nodes."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--no-python", "--nnodes", 2]
    launch += ["--nproc-per-node", 1, "--master-addr", "127.0.0.1", "--master-port", free_port()]
    command = ["bash", RUN, *OPTIONS, "--devices", 1, "--num_nodes", 2, *options]
    return [start([*launch, "--node-rank", n, *command]) for n in range(2)]


def ends(tasks) -> list[tuple[int, str, str]]:
    texts = [task.communicate(timeout=1800) for task in tasks]
    return [(task.returncode, *text) for task, text in zip(tasks, texts, strict=True)]


def means(exp: Path) -> pd.Series:
    return pd.read_csv(exp / "logs/version_0/metrics.csv").mean()


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """All stages as two tasks: the data, the experiment and what the tasks printed."""
    folder = tmp_path_factory.mktemp("job")
    root, exp = folder / "data", folder / "exp"
    options = ["--data.root", root, "--exp", exp, "--training.epochs", 1]
    return root, exp, ends(slurm(*options))


def test_one_task_prepares_and_all_train(job):
    root, exp, ((code, printed, errors), (other_code, nothing, other_errors)) = job
    assert (code, other_code) == (0, 0), errors + other_errors
    stages = [line[6] for line in printed.splitlines() if line.startswith("Stage ")]
    assert stages == list("0123456") and nothing == ""
    assert "Evaluates on one device, cpu." in printed
    run = json.loads((exp / "run.json").read_text())
    assert (run["num_devices"], run["steps"], run["step_examples"]) == (2, 2, 4)
    assert (exp / "report.html").is_file()


def test_it_is_the_training_of_one_process(job, tmp_path):
    root, exp, _ = job
    options = ["--data.root", root, "--exp", tmp_path / "exp", "--training.epochs", 1]
    (alone,) = ends([start(["bash", RUN, *OPTIONS, *options, "--stage", 3, "--stop_stage", 3])])
    assert alone[0] == 0, alone[2]
    found, expected = means(exp), means(tmp_path / "exp")
    assert found[LOSSES].values == pytest.approx(expected[LOSSES].values, rel=1e-3)
    assert found["val_sdr"] == pytest.approx(expected["val_sdr"], abs=0.05)


def test_a_warning_of_slurm_saves_and_the_job_goes_on(job, tmp_path):
    exp = tmp_path / "exp"
    options = ["--data.root", job[0], "--exp", exp, "--training.epochs", 4, "--stage", 3]
    options += ["--stop_stage", 3]
    tasks = slurm(*options)
    while not (exp / "checkpoints/last.ckpt").exists():
        assert tasks[0].poll() is None
        time.sleep(0.1)
    for task in tasks:
        os.killpg(task.pid, signal.SIGUSR1)
    for code, _, errors in ends(tasks):
        assert code == 128 + signal.SIGUSR1, errors
        assert "Stopped by SIGUSR1" in errors
    assert not (exp / "run.json").exists()
    for code, _, errors in ends(slurm(*options)):
        assert code == 0, errors
    run = json.loads((exp / "run.json").read_text())
    assert (run["epochs"], run["steps"]) == (4, 8)


def test_nodes_of_torchrun_one_without_a_readable_item(job, tmp_path):
    root, exp = job[0], tmp_path / "exp"
    (path,) = (root / "lists").glob("valid_2src_*.csv")
    mixtures = [
        replace(mixture, sources=[replace(s, path=f"gone/{s.path}") for s in mixture.sources])
        if mixture.item % 2
        else mixture
        for mixture in read_test_list(path)
    ]
    path.unlink()
    write_test_list(root / "lists", "valid_2src_seed0", mixtures)
    options = ["--data.root", root, "--exp", exp, "--stage", 1, "--training.epochs", 1]
    both = ends(torchrun(*options, "--data.max_skipped", 0.6))
    assert [code for code, *_ in both] == [0, 0], both
    assert json.loads((exp / "run.json").read_text())["num_devices"] == 2
    stages = [
        [line for line in text.splitlines() if line.startswith("Stage ")] for _, text, _ in both
    ]
    assert len(stages[0]) == 6 and not stages[1]
    both = ends(torchrun(*options, "--exp", tmp_path / "other"))
    for code, _, errors in both:
        assert code and "8 of 17 items of the validation list cannot be scored" in errors
