"""Scoring separated items in processes of their own, while others are separated."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from multiprocessing import parent_process
from typing import Any, TypeVar

import numpy as np
import torch

from .items import ItemSignals, evaluate_items

T = TypeVar("T")
Rows = list[list[dict[str, Any]]]
Signals = Sequence[tuple[ItemSignals, np.ndarray | None]]


class ScoringPool(AbstractContextManager):
    """Scores batches in worker processes of one thread each; the numbers are those of this one.

    Args:
        num_workers: how many; 0 scores in this process.
        sample_rate: of all signals, in hertz.
    """

    def __init__(self, num_workers: int, sample_rate: int):
        self.num_workers, self.sample_rate = num_workers, sample_rate
        self._pool = None
        if num_workers:
            self._pool = ProcessPoolExecutor(num_workers, initializer=_begin)
            self._pool.submit(int)  # starts them now: a fork is safest while threads are few

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def score(self, batches: Iterable[tuple[T, Signals]]) -> Iterator[tuple[T, Rows]]:
        """Scores batches in their order, taking them a little ahead.

        Args:
            batches: anything that goes with a batch, and its items.

        Yields:
            What goes with the batch, and rows of `evaluate_items`.

        Raises:
            ValueError: as `evaluate_item`.
            OSError: when a worker was killed.
        """
        if self._pool is None:
            for companion, signals in batches:
                yield companion, evaluate_items(signals, self.sample_rate)
            return
        waiting: deque[tuple[T, Future[Rows]]] = deque()
        try:
            for companion, signals in batches:
                job = self._pool.submit(evaluate_items, signals, self.sample_rate)
                waiting.append((companion, job))
                # One more than are worked on: no worker waits, and memory stays bounded.
                while len(waiting) > self.num_workers + 1 or waiting and waiting[0][1].done():
                    companion, job = waiting.popleft()
                    yield companion, job.result()
            for companion, job in waiting:
                yield companion, job.result()
        except BrokenProcessPool as error:
            raise OSError(
                "A process that scores was killed: most often memory ran out. Lower "
                "data.num_workers, or give the machine or container more memory."
            ) from error


def _begin() -> None:
    """Makes a process that ends with its parent, which alone listens to signals."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
