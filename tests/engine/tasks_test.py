"""Tasks that SLURM or torchrun start for one job: they join, or are refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from lightning_fabric.plugins.environments import LightningEnvironment
from torch.distributed import HashStore, PrefixStore, TCPStore

from asteroid_bimodal.engine import tasks
from asteroid_bimodal.engine.tasks import (
    _exchange,
    check_tasks,
    find_environment,
    find_launcher,
    meet,
)
from asteroid_bimodal.engine.train import train

UTILS = Path(__file__).parents[2] / "egs" / "utils"
RECIPE = UTILS.parent / "music/run.sh"
SLURM = {"SLURM_NTASKS": "2", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "1"}
SLURM |= {"SLURM_LOCALID": "0", "SLURM_JOB_ID": "1"}


def free_port() -> str:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def slurm_task(rank: int, port: str) -> dict[str, str]:
    """The variables of the first or the second of two tasks, one on each node."""
    place = {"SLURM_PROCID": str(rank), "SLURM_NODEID": str(rank), "MASTER_PORT": port}
    return {**SLURM, **place, "SLURM_STEP_NUM_TASKS": "2", "MASTER_ADDR": "127.0.0.1"}


def test_tasks_without_their_devices_are_refused(monkeypatch, tiny_conf, tone_set, tmp_path):
    assert find_launcher() is None
    for name, value in slurm_task(0, "1").items():
        monkeypatch.setenv(name, value)
    check_tasks(2, nodes=2)
    with pytest.raises(ValueError, match="job has 2 tasks, and training is to use 1 device: start"):
        train(tiny_conf(tone_set), tmp_path / "exp")
    assert not (tmp_path / "exp").exists()
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(ValueError, match="--ntasks-per-node=2"):
        check_tasks(2, nodes=2)


@pytest.mark.parametrize(
    "variables",
    [
        slurm_task(0, "1") | {"SLURM_STEP_NUM_TASKS": ""},  # a batch script
        slurm_task(0, "1") | {"SLURM_STEP_NUM_TASKS": "1"},  # a shell that salloc gives
        {"RANK": "1", "WORLD_SIZE": "2"},  # left from elsewhere
    ],
)
def test_what_no_launcher_started_waits_for_nobody(tmp_path, monkeypatch, variables):
    """All stages are its own; a program in place of Python writes down how it was called."""
    variables = {name: value for name, value in variables.items() if value}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_launcher() is None
    assert isinstance(find_environment(), LightningEnvironment) == ("SLURM_NTASKS" in variables)
    check_tasks(2, nodes=1)
    with pytest.raises(ValueError, match="Nothing started tasks on 2 nodes"):
        check_tasks(4, nodes=2)
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    program.chmod(0o755)
    monkeypatch.setenv("PYTHON", str(program))
    subprocess.run(["bash", RECIPE, "--stop_stage", "1"], check=True)
    called = (tmp_path / "called").read_text()
    assert "get_data" in called and "draw_lists" in called and "meet.py" not in called


def test_tasks_wait_for_the_first_one_and_end_as_it_does():
    store = HashStore()
    with ThreadPoolExecutor() as pool:
        ends = [pool.submit(_exchange, store, rank, 3, code) for rank, code in ((2, 0), (1, 0))]
        time.sleep(0.1)
        assert not any(end.done() for end in ends)
        ends.append(pool.submit(_exchange, store, 0, 3, 7))
        assert [end.result(10) for end in ends] == [7, 7, 7]


def test_the_first_task_says_that_it_waits(monkeypatch, capsys):
    """And where a signal ended the others, it does not wait for them."""
    monkeypatch.setattr(tasks, "_SOON", timedelta(seconds=0.1))
    assert _exchange(HashStore(), 0, 2, 138) == 138 and not capsys.readouterr().err
    for name, value in {**slurm_task(0, free_port()), "RANK": "", "WORLD_SIZE": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tasks.StopRequest, "listen", lambda self: None)
    monkeypatch.setattr(tasks, "_PATIENCE", timedelta(seconds=0.5))
    with pytest.raises(RuntimeError):
        meet(find_launcher(), 0)
    assert capsys.readouterr().err == "Waiting for the other tasks, 1 of them.\n"


def test_a_waiting_task_that_is_told_to_stop_lets_the_first_one_save():
    port = free_port()
    store = TCPStore("127.0.0.1", int(port), 1, is_master=True)
    waiting = subprocess.Popen(
        [sys.executable, UTILS / "meet.py", "0"], env={**os.environ, **slurm_task(1, port)}
    )
    meeting = PrefixStore("meeting 1", store)
    meeting.wait(["1 is here"], timedelta(minutes=1))
    waiting.send_signal(signal.SIGUSR1)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.5)
    meeting.set("code", "143")
    meeting.wait(["1 leaves"], timedelta(seconds=10))
    assert waiting.wait(10) == 128 + signal.SIGUSR1


@pytest.mark.parametrize(
    ("code", "state", "queued"),
    [(0, "RUNNING", False), (1, "RUNNING", False), (138, "RUNNING", True), (143, "", False)],
)
def test_a_job_that_was_stopped_is_queued_again(tmp_path, code, state, queued):
    """Stand-ins for SLURM's programs: they write down how they were called."""
    programs = {
        "srun": f'echo "$@" > {tmp_path}/called; exit {code}',
        "squeue": f"echo {state}",
        "scontrol": f'echo "$@" > {tmp_path}/requeued',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    result = subprocess.run(
        ["bash", UTILS / "submit.sbatch", RECIPE, "--data", "full"],
        env={**os.environ, **SLURM, "PYTHON": sys.executable, "PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert result.returncode == code
    called = (tmp_path / "called").read_text().split()
    assert called == f"--kill-on-bad-exit=1 {RECIPE} --data full --num_nodes 2 --devices 1".split()
    requeued = tmp_path / "requeued"
    assert (requeued.read_text() == "requeue 1\n") if queued else not requeued.exists()
