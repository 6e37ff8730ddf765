"""Politeness: pauses between requests, and longer ones for everybody when a server has trouble."""

from __future__ import annotations

import threading
import time

from .problems import FetchError, RefusedError

_REFUSED = 10.0  # pauses after a refusal are this many times longer than usual ones
_LONGEST = 600.0  # seconds


class Patience:
    """Pauses that the threads of a run share.

    Args:
        sleep: seconds that a thread waits before each clip. After a trouble all threads wait: as
            long when a server gives no answer, ten times as long when it asks for patience, and
            twice as long with each trouble that follows.
        stop: ends every pause when it is set.

    Examples:
        >>> Patience(0.0, threading.Event()).wait()
    """

    def __init__(self, sleep: float, stop: threading.Event) -> None:
        if not 0 <= sleep < _LONGEST:
            raise ValueError(f"Expected a pause of 0 to {_LONGEST:g} s, received {sleep}.")
        self.sleep = sleep
        self._stop = stop
        self._lock = threading.Lock()
        self._troubles = 0
        self._until = 0.0

    def wait(self) -> None:
        """Pauses before a request.

        Raises:
            FetchError: when the run is stopped.
        """
        with self._lock:
            pause = max(self.sleep, self._until - time.monotonic())
        if self._stop.wait(pause):
            raise FetchError("stopped")

    def trouble(self, error: FetchError) -> None:
        """Notes that a server had trouble.

        Args:
            error: which.
        """
        with self._lock:
            now = time.monotonic()
            # What was asked before the pause began is no further trouble.
            if now >= self._until:
                usual = self.sleep * (_REFUSED if isinstance(error, RefusedError) else 1.0)
                self._until = now + min(_LONGEST, usual * 2.0**self._troubles)
                self._troubles += 1

    def answered(self) -> None:
        """Notes that a server answered."""
        with self._lock:
            self._troubles = 0
