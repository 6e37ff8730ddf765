"""The tasks that SLURM or torchrun started for one job."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta

from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from torch.distributed import DistNetworkError, DistStoreError, PrefixStore, Store, rendezvous

from ..utils.signals import StopRequest

_PATIENCE = timedelta(days=7)  # a full set takes that long to download
_SOON = timedelta(minutes=1)


def find_launcher() -> ClusterEnvironment | None:
    """Finds what started this process as a task of a job; None where a person or shell did.

    Raises:
        ValueError: when SLURM was asked for tasks in a way that Lightning does not understand.
    """
    if TorchElasticEnvironment.detect():  # within SLURM, too
        return TorchElasticEnvironment()
    # A batch script, and a shell that salloc gives, have the variables of their job without being
    # one of its tasks, which srun starts.
    if os.environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        return None
    try:
        # Saving and queueing again are not Lightning's: engine/checkpoints.py, submit.sbatch.
        return SLURMEnvironment(auto_requeue=False) if SLURMEnvironment.detect() else None
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def find_environment() -> ClusterEnvironment | None:
    """Finds what Lightning's Trainer is to be told of this process; None for what it finds itself.

    It takes whatever has SLURM's variables for a task, and would wait for the others.
    """
    alone = LightningEnvironment() if "SLURM_NTASKS" in os.environ else None
    return find_launcher() or alone


def check_tasks(devices: int, nodes: int) -> None:
    """Refuses what would train side by side, or wait for ever: each device must have its task.

    Args:
        devices: that train together, on all nodes.
        nodes: how many these are.

    Raises:
        ValueError: when a launcher started another number of tasks, or none did for several nodes.
    """
    launcher = find_launcher()
    if launcher is None and nodes > 1 and "NODE_RANK" not in os.environ:
        raise ValueError(
            f"Nothing started tasks on {nodes} nodes (--num_nodes): use egs/utils/submit.sbatch, "
            "srun or torchrun, as docs/training.md says."
        )
    if launcher is None or launcher.world_size() == devices:
        return
    raise ValueError(
        f"The job has {launcher.world_size()} tasks, and training is to use {devices} "
        f"device{'s' * (devices > 1)}: start a task for each device and give --devices (of a "
        "node) and --num_nodes, as egs/utils/submit.sbatch does. Trainings apart from each other "
        "need jobs of their own."
    )


def meet(launcher: ClusterEnvironment, code: int) -> int:
    """Waits until all tasks of the job are here.

    Who is told to stop meanwhile stops when they have met: the first task, which is told, too, may
    still have something to save, and SLURM kills it when another one ends.

    Args:
        launcher: of the job.
        code: exit code of what the first task did meanwhile; of other tasks it counts for nothing.

    Returns:
        The first task's code.

    Raises:
        StopSignal: when a signal came.
    """
    stop = StopRequest()
    stop.listen()
    rank, ranks = launcher.global_rank(), launcher.world_size()
    os.environ |= {
        "MASTER_ADDR": launcher.main_address,
        "MASTER_PORT": str(launcher.main_port),
        "RANK": str(rank),
        "WORLD_SIZE": "1",  # it is `_exchange` that waits for the others
    }
    while True:
        try:
            store = next(iter(rendezvous("env://", timeout=_PATIENCE)))[0]
            visit = store.add(f"visits of {rank}", 1)  # torchrun's store outlives a meeting
            code = _exchange(PrefixStore(f"meeting {visit}", store), rank, ranks, code)
            stop.obey()
            return code
        except DistNetworkError:
            if rank == 0:
                raise
            stop.obey()
            time.sleep(1)  # it was what the first task did before, which has ended now


def _exchange(store: Store, rank: int, ranks: int, code: int) -> int:
    if rank:
        store.set(f"{rank} is here", "")
        code = int(store.get("code"))
        store.set(f"{rank} leaves", "")
        return code
    here = [f"{other} is here" for other in range(1, ranks)]
    try:
        store.wait(here, _SOON)
    except DistStoreError:
        if code > 128:
            return code  # of a signal, by which the others may have ended
        print(f"Waiting for the other tasks, {ranks - 1} of them.", file=sys.stderr, flush=True)
        store.wait(here, _PATIENCE)
    store.set("code", str(code))
    # The store may be this process's own: the others must have read it.
    store.wait([f"{other} leaves" for other in range(1, ranks)], _PATIENCE)
    return code
