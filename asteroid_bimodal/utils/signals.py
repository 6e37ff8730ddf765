"""Signals that end a program: each of them as Ctrl-C does, with nothing half done left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Ctrl-C; timeout, docker and batch systems; a terminal that was closed.
_STOP = ("SIGINT", "SIGTERM", "SIGHUP")


class StopSignal(KeyboardInterrupt):
    """A KeyboardInterrupt that knows its signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What tells a shell that a program was stopped: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + getattr(stop, "number", signal.SIGINT)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Has the first signal to stop raise a `StopSignal` in the block, and passes over later ones.

    What is ignored, as SIGHUP by nohup, stays ignored. Only a main thread can listen.
    """
    told = False

    def stop(number: int, frame: object) -> None:
        nonlocal told
        if not told:  # or it would break off the tidying up
            told = True
            raise StopSignal(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _STOP if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        before = {n: old for n, old in before.items() if old not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
