"""Tasks that SLURM or torchrun start for one job: they join, or are refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from torch.distributed import HashStore

from asteroid_bimodal.engine.tasks import _exchange, check_tasks, find_launcher
from asteroid_bimodal.engine.train import train

UTILS = Path(__file__).parents[2] / "egs" / "utils"
SLURM = {"SLURM_NTASKS": "2", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "1"}
SLURM |= {"SLURM_LOCALID": "0", "SLURM_JOB_ID": "1"}


def free_port() -> str:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def slurm_task(rank: int, port: str) -> dict[str, str]:
    """The variables of the first or the second of two tasks, one on each node."""
    place = {"SLURM_PROCID": str(rank), "SLURM_NODEID": str(rank), "MASTER_PORT": port}
    return {**SLURM, **place, "MASTER_ADDR": "127.0.0.1"}


def test_tasks_without_their_devices_are_refused(monkeypatch, tiny_conf, tone_set, tmp_path):
    assert find_launcher() is None
    for name, value in slurm_task(0, "1").items():
        monkeypatch.setenv(name, value)
    check_tasks(2)
    with pytest.raises(ValueError, match="job has 2 tasks, and training is to use 1 device: start"):
        train(tiny_conf(tone_set), tmp_path / "exp")
    assert not (tmp_path / "exp").exists()
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(ValueError, match="--ntasks-per-node=2"):
        check_tasks(2)


def test_tasks_wait_for_the_first_one_and_end_as_it_does():
    store = HashStore()
    with ThreadPoolExecutor() as pool:
        ends = [pool.submit(_exchange, store, rank, 3, code) for rank, code in ((2, 0), (1, 0))]
        time.sleep(0.1)
        assert not any(end.done() for end in ends)
        ends.append(pool.submit(_exchange, store, 0, 3, 7))
        assert [end.result(10) for end in ends] == [7, 7, 7]


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
    recipe = UTILS.parent / "music/run.sh"
    result = subprocess.run(
        ["bash", UTILS / "submit.sbatch", recipe, "--data", "full"],
        env={**os.environ, **SLURM, "PYTHON": sys.executable, "PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert result.returncode == code
    called = (tmp_path / "called").read_text().split()
    assert called == f"--kill-on-bad-exit=1 {recipe} --data full --num_nodes 2 --devices 1".split()
    requeued = tmp_path / "requeued"
    assert (requeued.read_text() == "requeue 1\n") if queued else not requeued.exists()
