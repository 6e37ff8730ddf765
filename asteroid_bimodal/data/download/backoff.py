"""Rate limiting: pauses between clips, and longer ones when a server does not answer."""

from __future__ import annotations

import threading
import time

from .errors import FetchError, RefusedError

_AFTER_REFUSAL = 10.0  # pauses after a refusal are this many times longer than usual ones
_LONGEST = 600.0  # seconds


class Backoff:
    """Pauses that the threads of a run share.

    A thread waits `sleep` seconds before each clip. After an error all threads wait: as long when a
    server gives no answer, ten times as long when it refuses, and twice as long with each further
    error. `stop` ends every pause when it is set.
    """

    def __init__(self, sleep: float, stop: threading.Event) -> None:
        if not 0 <= sleep < _LONGEST:
            raise ValueError(f"A pause lasts 0 to {_LONGEST:g} s, received {sleep}.")
        self._sleep, self._stop = sleep, stop
        self._lock = threading.Lock()
        self._errors = 0
        self._until = 0.0

    def wait(self) -> None:
        """Pauses before a request; raises a `FetchError` when the run is stopped."""
        with self._lock:
            pause = max(self._sleep, self._until - time.monotonic())
        if self._stop.wait(pause):
            raise FetchError("stopped")

    def failed(self, error: FetchError) -> None:
        """Makes all threads wait for a server that refused, or gave no answer."""
        with self._lock:
            now = time.monotonic()
            # Requests from before the pause began are no further errors.
            if now >= self._until:
                pause = self._sleep * (_AFTER_REFUSAL if isinstance(error, RefusedError) else 1.0)
                self._until = now + min(_LONGEST, pause * 2.0**self._errors)
                self._errors += 1

    def answered(self) -> None:
        """Begins with short pauses again."""
        with self._lock:
            self._errors = 0
