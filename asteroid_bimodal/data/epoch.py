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
