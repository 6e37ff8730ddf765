"""What makes a training depend less on its seed: warm-up and averaged weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.optim import Optimizer


class WarmUp(Callback):
    """Raises the learning rate from nearly 0 in the first steps: step i of N takes i / N of it.

    Whatever the schedule: it never sees the change, nor does a checkpoint.

    Args:
        steps: N, optimiser steps.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._scheduled: list[float] = []

    def on_fit_start(self, trainer: pl.Trainer, _module: Any) -> None:
        """Lowers rates within steps alone, which a scaler may skip, and before the schedule."""
        for optimizer in trainer.optimizers:
            optimizer.register_step_pre_hook(partial(self._lower, trainer))
            optimizer.register_step_post_hook(self._give_back)

    def _lower(self, trainer: pl.Trainer, optimizer: Optimizer, *_: Any) -> None:
        self._scheduled = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] *= warm_up(trainer.global_step, self.steps)

    def _give_back(self, optimizer: Optimizer, *_: Any) -> None:
        for group, rate in zip(optimizer.param_groups, self._scheduled, strict=True):
            group["lr"] = rate


def warm_up(step: int, steps: int) -> float:
    """Says what share of the learning rate a step takes, steps being counted from 0.

    Examples:
        >>> [warm_up(step, 4) for step in range(6)]
        [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    return min((step + 1) / steps, 1.0)


class AveragedWeights(WeightAveraging):
    """Validates, and saves, an exponential moving average of the weights in their place.

    Args:
        decay: part of the average that a step keeps, less in the first steps, which are soon
            forgotten: (1 + n) / (10 + n) after n.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, count: Tensor) -> Tensor:
            kept = ((1 + count) / (10 + count)).clamp(max=decay)
            return averaged + (1 - kept) * (current - averaged)

        super().__init__(avg_fn=average)
