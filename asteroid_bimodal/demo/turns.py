"""Work of several threads in turn, so that a long job does not keep short ones waiting."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Turns:
    """One job works at a time; who has waited longest is next."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._queue: deque[Turn] = deque()

    @contextmanager
    def take(self) -> Iterator[Turn]:
        """Waits for a turn, which lasts until the block ends or it is passed on."""
        turn = Turn(self)
        self.enter(turn)
        try:
            yield turn
        finally:
            self.leave(turn)

    def enter(self, turn: Turn) -> None:
        """Waits until all who came before have passed on their turns."""
        with self._changed:
            self._queue.append(turn)
            self._changed.wait_for(lambda: self._queue[0] is turn)
        turn.start()

    def leave(self, turn: Turn) -> None:
        """Lets the next one work."""
        turn.stop()
        with self._changed:
            self._queue.popleft()
            self._changed.notify_all()


class Turn:
    """What one job does, and the warnings that come up meanwhile.

    Python's record of warnings belongs to all threads: it is one job's while it works.
    """

    def __init__(self, turns: Turns) -> None:
        self.warnings: list[warnings.WarningMessage] = []
        self._turns = turns

    def pass_on(self) -> None:
        """Lets others work, and waits for the next turn."""
        self._turns.leave(self)
        self._turns.enter(self)

    def start(self) -> None:
        """Begins to record warnings."""
        self._recorder = warnings.catch_warnings(record=True)
        self._recorded = self._recorder.__enter__()
        warnings.simplefilter("always", UserWarning)

    def stop(self) -> None:
        """Keeps what was recorded."""
        self._recorder.__exit__(None, None, None)
        self.warnings += self._recorded
