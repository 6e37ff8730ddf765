"""What a person sees of a training: what it is, a line for each epoch, and how long it takes."""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Timer
from pytorch_lightning.utilities import rank_zero_only
from tqdm import tqdm

from ..data.manifest import read_manifest
from ..utils.checkpoints import first_line
from .build import count_parameters
from .memory import memory_line, step_bytes
from .schema import Config, step_examples

_FEW = 10  # steps by which the time of all is told


@rank_zero_only
def show(text: str) -> None:
    """Prints at once, above the progress bars that a terminal shows."""
    tqdm.write(text)
    sys.stdout.flush()


def device_name(trainer: pl.Trainer) -> str:
    """Names the device that each process trains on."""
    device = trainer.strategy.root_device
    cuda = device.type == "cuda"
    return torch.cuda.get_device_name(device) if cuda else f"CPU, {os.cpu_count()} cores"


def duration(seconds: float) -> str:
    """Says how long something takes.

    Examples:
        >>> duration(20), duration(725), duration(12_000)
        ('20 s', '12 min', '3 h 20 min')
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


class Progress(Callback):
    """Prints what is trained before the first step, and a line after each epoch.

    Args:
        conf: the whole configuration.
    """

    def __init__(self, conf: Config):
        self.conf = conf
        self._since, self._done = 0.0, -1
        self._told = False  # how long it takes

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._done, self._told = -1, False
        show(_summary(self.conf, trainer, module))
        device = trainer.strategy.root_device
        if device.type == "cuda" and trainer.is_global_zero:
            show(_memory(self.conf, module, str(trainer.precision), device))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._done += 1
        if self._done == 0:  # the first one waits for processes to start
            self._since = time.monotonic()
        if self._done >= _FEW and not self._told and not trainer.is_last_batch:
            self._told = True
            epochs = trainer.max_epochs - trainer.current_epoch
            left = self._left(trainer, epochs * _num_batches(self.conf, trainer) - batch_idx - 1)
            show(f"About {left} left, validation aside.")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        figures, number = trainer.callback_metrics, trainer.current_epoch + 1
        loss, score = (float(figures.get(name, math.nan)) for name in ("loss_epoch", "val_sdr"))
        best = max(trainer.checkpoint_callback.score, -math.inf if math.isnan(score) else score)
        line = (
            f"epoch {number}/{trainer.max_epochs}: loss {loss:.4g}, "
            f"validation SDR {score:.2f} dB (best {best:.2f})"
        )
        epochs = trainer.max_epochs - number
        if epochs and self._done > 0 and not trainer.should_stop:
            line += f", {self._left(trainer, epochs * _num_batches(self.conf, trainer))} left"
            self._told = True
        show(line)

    def _left(self, trainer: pl.Trainer, batches: float) -> str:
        """How long so many batches take, unless `training.max_minutes` are over before."""
        seconds = (time.monotonic() - self._since) / self._done * batches
        timer = next(c for c in trainer.callbacks if isinstance(c, Timer))
        most = timer.time_remaining()
        return duration(seconds if most is None else min(seconds, most))


def _num_batches(conf: Config, trainer: pl.Trainer) -> int:
    """Batches of each process in an epoch; Lightning does not count those of shards."""
    if math.isfinite(trainer.num_training_batches):
        return int(trainer.num_training_batches)
    return conf.data.epoch_size // conf.training.batch_size


def _memory(conf: Config, module: Any, precision: str, device: torch.device) -> str:
    """What a step takes of a GPU; no reason to stop where it cannot be counted."""
    losses = [loss for loss in (module.loss_func, module.clean_loss) if loss]
    try:
        needed = step_bytes(module.model, losses, conf, precision, device)
    except RuntimeError as error:  # of an operation that has no shapes without numbers
        return f"Memory: not counted, {first_line(error)}"
    return memory_line(needed, torch.cuda.get_device_properties(device).total_memory)


def _summary(conf: Config, trainer: pl.Trainer, module: pl.LightningModule) -> str:
    """The clips, the model, the device and the steps, a line each."""
    data, training = conf.data, conf.training
    clips = read_manifest(Path(data.root) / "train.csv")
    labels = len({clip.label for clip in clips} - {""})
    length = duration(sum(clip.seconds for clip in clips))
    share = f", {data.share:.0%} of them used" if data.share < 1 else ""
    processes = trainer.num_devices * trainer.num_nodes
    steps = math.ceil(_num_batches(conf, trainer) / trainer.accumulate_grad_batches)
    each = f", {training.batch_size // processes} at a time on each device" if processes > 1 else ""
    limit = f", {training.max_minutes:g} min at most" if training.max_minutes else ""
    before = f", {trainer.global_step} of them done" if trainer.global_step else ""
    return "\n".join(
        (
            f"Data:   {len(clips)} clips, {length}, {labels or 'no'} classes in {data.root}"
            f"{share}; {data.n_src} in a mixture",
            f"Model:  {conf.system}, a {conf.separator} with {count_parameters(module.model):,} "
            f"parameters; seed {conf.seed}",
            f"Device: {f'{processes} × ' if processes > 1 else ''}{device_name(trainer)}; "
            f"precision {trainer.precision}",
            f"Steps:  {trainer.max_epochs * steps} of {step_examples(conf)} examples{each}, in "
            f"{trainer.max_epochs} epochs{before}{limit}",
        )
    )
