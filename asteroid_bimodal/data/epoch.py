"""Which epoch is drawn: known to workers that outlive one."""

from __future__ import annotations

import torch


class EpochState:
    """Base of data sets whose examples depend on the epoch.

    Attributes:
        epoch: the epoch that is drawn.
        start: its item that comes first.
    """

    def __init__(self) -> None:
        # Shared with the workers, which hold a copy of all else of a data set.
        self._place = torch.zeros(2, dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        return int(self._place[0])

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._place[0] = epoch

    @property
    def start(self) -> int:
        return int(self._place[1])

    @start.setter
    def start(self, start: int) -> None:
        self._place[1] = start


class EpochPairs:
    """Base of pairs of two data sets, of which both draw the same epoch."""

    def __init__(self, mixed: EpochState, clean: EpochState) -> None:
        super().__init__()
        self.mixed, self.clean = mixed, clean

    @property
    def epoch(self) -> int:
        return self.mixed.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.mixed.epoch = self.clean.epoch = epoch

    @property
    def start(self) -> int:
        return self.mixed.start

    @start.setter
    def start(self, start: int) -> None:
        self.mixed.start = self.clean.start = start
