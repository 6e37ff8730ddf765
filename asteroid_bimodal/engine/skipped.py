"""Clips that training could not use: counted, listed, and too many of them a reason to stop."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from ..data.batches import Batch, SemiSupervisedBatch, Skipped, UnusableClipsError
from ..data.datasets import EvaluationItem
from ..utils.files import atomic_write

_FEWEST = 20  # clips; the share of fewer says little
_NUMBER = re.compile(r"\d+(\.\d+)?")


class Tally:
    """What became of the clips that were asked for: times by path and kind of reason.

    A kind is a reason but for its numbers, such as the second at which a crop began.
    """

    def __init__(self, rows: Iterable[Sequence] = (), used: Iterable[int] = ()):
        self._rows: dict[tuple[str, str], tuple[str, int]] = {}  # the first reason of its kind
        self._used = set(used)  # digests of paths: a set may have millions of clips
        for path, reason, times in rows:
            self.skip(path, reason, times)

    @property
    def rows(self) -> list[tuple[str, str, int]]:
        """Path, reason and times, sorted."""
        return sorted((path, *found) for (path, _), found in self._rows.items())

    @property
    def paths(self) -> set[str]:
        """The clips that could not be used at least once."""
        return {path for path, _ in self._rows}

    def skip(self, path: str, reason: str, times: int = 1) -> None:
        kind = path, _NUMBER.sub("#", reason)
        first, before = self._rows.get(kind, (reason, 0))
        self._rows[kind] = first, before + times

    def use(self, paths: Iterable[str]) -> None:
        self._used.update(map(_digest, paths))

    def unusable(self) -> tuple[int, int]:
        """How many clips never could be used, and of how many."""
        bad = set(map(_digest, self.paths))
        return len(bad - self._used), len(bad | self._used)

    def state(self) -> dict[str, list]:
        return {"rows": [list(row) for row in self.rows], "used": sorted(self._used)}

    def write(self, path: Path) -> None:
        """Writes the rows as CSV."""
        with atomic_write(path) as temporary:
            # Names of files may be any bytes.
            options = {"encoding": "utf-8", "errors": "surrogateescape"}
            with temporary.open("w", newline="", **options) as file:
                csv.writer(file).writerows([("path", "reason", "times"), *self.rows])

    @staticmethod
    def of(skipped: Iterable[Skipped]) -> Tally:
        return Tally((skip.path, skip.reason, 1) for skip in skipped)

    @staticmethod
    def sum(states: Iterable[dict[str, list]]) -> Tally:
        rows, used = [], []
        for state in states:
            rows += state["rows"]
            used += state["used"]
        return Tally(rows, used)


def _digest(path: str) -> int:
    return zlib.crc32(path.encode("utf-8", "surrogateescape"))


class SkippedClips(Callback):
    """Writes `skipped.csv` at each epoch's end and however training ends, and stops it in time.

    Args:
        exp_dir: folder of the experiment. Processes beside the first write `skipped_<rank>.csv`.
        most: share of the clips that were asked for, and of the validation items, of which more
            end the training when they cannot be used.
    """

    def __init__(self, exp_dir: Path, most: float):
        self.exp_dir, self.most = exp_dir, most
        self.tally = Tally()
        self._rank, self._ranks = 0, 1
        self._states: list[dict[str, list]] = []  # of all processes, at the last epoch's end
        self._items = self._missing = 0

    @property
    def path(self) -> Path:
        return self.exp_dir / (f"skipped_{self._rank}.csv" if self._rank else "skipped.csv")

    def setup(self, trainer: Trainer, *_: Any, **__: Any) -> None:
        self._rank, self._ranks = trainer.global_rank, trainer.world_size

    def state_dict(self) -> dict[str, Any]:
        states = [*self._states] or [Tally().state()] * self._ranks
        states[self._rank] = self.tally.state()
        return {"ranks": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        states = state_dict["ranks"]
        if len(states) != self._ranks:  # resumed with more or fewer processes
            states = [Tally.sum(states).state(), *[Tally().state()] * (self._ranks - 1)]
        self._states, self.tally = states, Tally.sum([states[self._rank]])

    def on_train_batch_start(
        self, trainer: Trainer, module: Any, batch: Batch | SemiSupervisedBatch, _: int
    ) -> None:
        self._skip(batch.skipped)
        self.tally.use(path for paths in batch.clips for path in paths)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._states = _gather(self.tally.state(), self._ranks)
        self.tally.write(self.path)
        bad, asked = Tally.sum(self._states).unusable()
        if asked >= _FEWEST:
            self._check(bad, asked, "clips that training asked for cannot be used")

    def on_validation_epoch_start(self, *_: Any) -> None:
        self._items = self._missing = 0

    def on_validation_batch_start(
        self, trainer: Trainer, module: Any, items: Sequence[EvaluationItem], *_: Any
    ) -> None:
        for item in items:
            self._skip(item.skipped)
            self.tally.use(item.clips)
            self._items += 1
            self._missing += item.mixture is None

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        counts = torch.tensor([self._missing, self._items], device=module.device)
        missing, items = trainer.strategy.reduce(counts, reduce_op="sum").tolist()
        self._check(missing, items, "items of the validation list cannot be scored")

    def on_exception(self, trainer: Trainer, module: Any, exception: BaseException) -> None:
        if isinstance(exception, UnusableClipsError):
            self._skip(exception.skipped)
            exception.table = self.path
        self.tally.write(self.path)

    def on_fit_end(self, trainer: Trainer, module: Any) -> None:
        self.tally.write(self.path)
        if paths := self.tally.paths:
            print(f"Skipped {len(paths)} clips, listed with the reasons in {self.path}.")

    def _skip(self, skipped: Iterable[Skipped]) -> None:
        for skip in skipped:
            self.tally.skip(skip.path, skip.reason)

    def _check(self, bad: int, total: int, what: str) -> None:
        if bad > self.most * total:
            raise UnusableClipsError(
                f"{bad} of {total} {what}; data.max_skipped allows {self.most:.0%}."
            )


def _gather(state: dict[str, list], ranks: int) -> list[dict[str, list]]:
    states = [state] * ranks
    if ranks > 1:
        torch.distributed.all_gather_object(states, state)
    return states
