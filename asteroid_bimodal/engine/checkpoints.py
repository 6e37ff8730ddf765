"""Checkpoints: written whole, proved before they are relied on; the best and the last are kept."""

from __future__ import annotations

import math
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torch.optim import Optimizer

from ..utils.checkpoints import check_fit, first_line, is_whole, read_tensors
from ..utils.files import atomic_write
from ..utils.signals import StopRequest
from .system import BiModalSystem

FOLDER, LAST = "checkpoints", "last.ckpt"
say = rank_zero_only(print)  # once, however many processes train
_PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "global_step")


class WholeFiles(TorchCheckpointIO):
    """Writes each checkpoint beside its place, to the disk, and then moves it there."""

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        # Lightning's writes to TMPDIR, and from another file system copies that over the old one.
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


class Checkpoints(Checkpoint):
    """Saves the last state after each epoch and within it, and that of the best epoch beside it.

    A new best one is written first, then the last one, which names it; only then others go: what
    the last one names is there whenever the process is killed. Names are relative to the folder,
    which may be moved. A signal that ends the process has it save at the end of the batch.

    Args:
        folder: of the checkpoints.
        minutes: time between two checkpoints within an epoch; None for none.
        resume: whether training that had ended, for want of progress for example, goes on.

    Attributes:
        best: name of the best epoch's file; empty while there is none.
        score: its validation SDR.
        stop: what signals have asked for.
    """

    def __init__(self, folder: Path, minutes: float | None = None, resume: bool = False):
        self.folder, self.minutes, self.resume = folder, minutes, resume
        self.best, self.score, self.over = "", -math.inf, False
        self.stop = StopRequest()
        self._saved_at = 0.0
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}  # of an epoch's first part, by quantity

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "score": self.score, "over": self.over}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        best, self.over = state_dict["best"], state_dict["over"] and not self.resume
        if not best or is_whole(self.folder / best):
            self.best, self.score = best, state_dict["score"]
        else:
            say(
                f"{self.folder / best}, the best epoch so far, is missing or damaged: the best of "
                "the epochs that follow takes its place, or the last one if none does."
            )

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module, checkpoint: dict) -> None:
        # The first process's checkpoint is all processes': each goes on from the mean of them.
        mean = partial(trainer.strategy.reduce, reduce_op="mean")
        checkpoint["sums"] = {
            name: (mean(result.value.clone()), result.cumulated_batch_size)
            for name, result in trainer.fit_loop.epoch_loop._results.items()
            if result.meta.on_epoch and result.meta.is_mean_reduction
        }

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module, checkpoint: dict) -> None:
        self._sums = checkpoint.get("sums", {})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.over

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning's own handlers leave without saving, and talk to other processes while they run.
        self.stop.listen()
        self._saved_at = time.monotonic()
        if not trainer.fit_loop.restarting:  # but at the beginning of an epoch
            self._sums = {}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs, batch, batch_idx: int
    ) -> None:
        self._complete_means(trainer)
        summing = (batch_idx + 1) % trainer.accumulate_grad_batches
        if summing or trainer.is_last_batch or trainer.should_stop:
            return  # gradients are not saved; validation comes first
        passed = time.monotonic() - self._saved_at
        due = self.minutes is not None and passed >= 60 * self.minutes
        told, due = self._agree(trainer, due)
        if told or due:
            self._save(trainer, LAST)
        if told:
            _leave(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _log_means(trainer)
        score = float(trainer.callback_metrics["val_sdr"])
        score = -math.inf if math.isnan(score) else score
        self.over = trainer.should_stop
        if score > self.score or not self.best:
            self.best = f"epoch={trainer.current_epoch}-val_sdr={score:.2f}.ckpt"
            self.score = score
            self._save(trainer, self.best)
        self._save(trainer, LAST)
        if trainer.is_global_zero:
            for path in list_checkpoints(self.folder.parent):
                if path.name.startswith(("epoch=", "hpc_ckpt_")) and path.name != self.best:
                    path.unlink()
        told, _ = self._agree(trainer)
        if told:
            _leave(trainer)

    def _complete_means(self, trainer: pl.Trainer) -> None:
        """Adds what the epoch's means had summed up before training was stopped in its middle."""
        results = trainer.fit_loop.epoch_loop._results
        for name in self._sums.keys() & results.keys():  # a bad step logs less
            value, count = self._sums.pop(name)
            results[name].value = results[name].value + value
            results[name].cumulated_batch_size = results[name].cumulated_batch_size + count

    def _agree(self, trainer: pl.Trainer, due: bool = False) -> tuple[bool, bool]:
        """Whether any process was told to stop, and for any a checkpoint is due."""
        if trainer.world_size == 1:
            return self.stop.number > 0, due
        asked = torch.tensor([self.stop.number, due], device=trainer.strategy.root_device)
        number, any_due = trainer.strategy.reduce(asked, reduce_op="max").tolist()
        self.stop.number = self.stop.number or number
        return number > 0, any_due > 0

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        trainer.save_checkpoint(self.folder / name, weights_only=False)
        self._saved_at = time.monotonic()


def _log_means(trainer: pl.Trainer) -> None:
    """Logs the epoch's means, as Lightning does after the checkpoints: a kill may come between."""
    step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1
    connector = trainer._logger_connector
    connector.log_metrics({**connector.metrics["log"], "epoch": trainer.current_epoch}, step=step)


def _leave(trainer: pl.Trainer) -> None:
    """Has Lightning leave as it does by SIGTERM: after what the batch or the epoch still logs."""
    trainer._signal_connector.received_sigterm = True


def list_checkpoints(exp_dir: Path) -> list[Path]:
    """Lists the checkpoints of an experiment, with those that Lightning saves within SLURM."""
    found = [*(exp_dir / FOLDER).glob("*.ckpt"), *exp_dir.glob("hpc_ckpt_*.ckpt")]
    return sorted(path for path in found if not path.name.startswith("."))


def find_checkpoint(exp_dir: Path, system: BiModalSystem) -> Path | None:
    """Finds the newest whole checkpoint, and proves that a system can go on from it.

    Args:
        exp_dir: folder of the experiment.
        system: as it was built; its optimiser takes the checkpoint's state.

    Returns:
        Its path; None when the experiment has none.

    Raises:
        ValueError: when none is whole, and when the newest does not fit the system.
    """
    found, broken = [], []
    for path in list_checkpoints(exp_dir):
        try:
            content = read_tensors(path)
            if missing := [part for part in _PARTS if part not in content]:
                raise ValueError(f"Expected a checkpoint at {path}, found no {missing[0]}.")
        except ValueError as error:
            broken.append((path, first_line(error)))
        else:  # of the same step, the last one knows best
            found.append((content["global_step"], path.name == LAST, path))
    if broken and not found:
        raise ValueError(
            f"No checkpoint of {exp_dir} can be read ({broken[-1][1]}): put one back from a copy, "
            "or delete the folder to begin again."
        )
    if not found:
        return None
    step, _, newest = max(found)
    _check_system(system, read_tensors(newest), newest)
    unusable = [path for path, _ in broken]
    if not (exp_dir / FOLDER / LAST).exists():
        unusable.append(exp_dir / FOLDER / LAST)
    for path in unusable:
        say(f"{path} is missing or damaged: training goes on from {newest.name}, step {step}.")
    return newest


def _check_system(system: BiModalSystem, content: dict[str, Any], path: Path) -> None:
    check_fit(system.state_dict(), content["state_dict"], str(path))
    try:
        (state,) = content["optimizer_states"]
        _check_optimizer(system.optimizer, state)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"The optimiser's state in {path} does not fit {type(system.optimizer).__name__} "
            f"({first_line(error)}): go on with the optimiser that training began with."
        ) from error


def _check_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    for group in state["param_groups"]:
        if missing := [name for name in optimizer.defaults if name not in group]:
            raise ValueError(f"no {missing[0]}")
    optimizer.load_state_dict(state)
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}")
