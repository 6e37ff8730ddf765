"""Steps whose loss or gradient is not finite: not taken, counted, recorded; many end training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer
from torch.utils.data import IterableDataset

from ..data.batches import Batch, SemiSupervisedBatch
from ..utils.files import atomic_write

FOLDER = "bad_batches"  # in the experiment's
_MOST_RECORDS = 100


class StepGuard:
    """Leaves weights, moments and running statistics as they were before a bad step.

    Args:
        most: bad steps in a row that end the training.

    Attributes:
        count: how many bad steps there were.
    """

    def __init__(self, most: int):
        self.most, self.count, self._in_row = most, 0, 0
        self._notes: list[tuple] = []  # of the batches since the last step
        self._statistics: list[tuple[Tensor, Tensor]] = []  # in use, and as of the last step

    def begin(self, module: LightningModule) -> None:
        """Keeps the running statistics, which a forward pass changes before its loss is known."""
        norms = [m for m in module.modules() if isinstance(m, _NormBase) and m.training]
        buffers = [buffer for norm in norms for buffer in norm.buffers()]
        self._statistics = [(buffer, buffer.clone()) for buffer in buffers]

    def note(self, batch: Batch | SemiSupervisedBatch, number: int, finite: bool) -> None:
        """Notes a batch and whether its loss is finite, here and in all other processes."""
        self._notes.append((number, finite, batch.clips, batch.captions))

    def judge(self, module: LightningModule, optimizer: Optimizer, norm: Tensor) -> None:
        """Keeps the optimiser from a step whose gradient, of a norm that all share, is not finite.

        Raises:
            ValueError: after too many of them.
        """
        good, notes = bool(norm.isfinite()), self._notes
        self._notes = []
        for used, kept in self._statistics:
            (kept if good else used).copy_(used if good else kept)
        if good:
            self._in_row = 0
            return
        optimizer.zero_grad()  # to None: optimisers leave such weights and their moments alone
        scaler = getattr(module.trainer.precision_plugin, "scaler", None)
        if scaler and scaler.get_scale() > 1 and all(finite for _, finite, *_ in notes):
            return  # the scale was too high, which the scaler mends by itself
        self.count += 1
        self._in_row += 1
        folder = self._record(module, notes)
        rank_zero_warn(
            f"The loss or gradient of step {module.global_step} is not finite: the step is not "
            f"taken, {self.count} so far. Its batch is in {folder}."
        )
        if self._in_row >= self.most:
            raise ValueError(
                f"The loss or gradient of {self._in_row} steps in a row was not finite; none of "
                f"them was taken, and their batches are in {folder}. Look for what these have in "
                "common, lower optim.lr, or train with training.precision 32."
            )

    def _record(self, module: LightningModule, notes: list[tuple]) -> Path:
        trainer, dataset = module.trainer, module.train_loader.dataset
        folder = Path(trainer.default_root_dir) / FOLDER
        rank, ranks = trainer.global_rank, trainer.world_size
        for number, finite, clips, captions in notes:
            places = range(number * len(captions), (number + 1) * len(captions))
            record: dict[str, Any] = {
                "seed": (module.config or {}).get("seed"),
                "epoch": trainer.current_epoch,
                "batch": number,
                "rank": rank,
                "ranks": ranks,
                "finite_loss": finite,
                "clips": clips,
                "captions": captions,
            }
            if not isinstance(dataset, IterableDataset):
                record["items"] = [(place * ranks + rank) % len(dataset) for place in places]
            name = f"epoch{trainer.current_epoch:04d}_batch{number:06d}_rank{rank}.json"
            if len(list(folder.glob(f"*_rank{rank}.json"))) < _MOST_RECORDS:
                with atomic_write(folder / name) as temporary:
                    temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
        return folder


def nan_loss(module: LightningModule) -> Tensor:
    """A loss of which every gradient is NaN, in all processes that share it."""
    sums = [p.sum() for p in module.parameters() if p.requires_grad]
    return torch.stack(sums).sum() * torch.nan
