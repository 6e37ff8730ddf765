"""Signals that end a program: each of them as Ctrl-C does, with nothing half done left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Ctrl-C; timeout, docker and batch systems; a terminal that was closed; SLURM's warning.
_STOP = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class StopSignal(KeyboardInterrupt):
    """A KeyboardInterrupt that knows its signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What tells a shell that a program was stopped: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + getattr(stop, "number", signal.SIGINT)


class StopRequest:
    """Takes note of a signal to stop, for whoever can save first; a second Ctrl-C does not wait.

    Attributes:
        number: of the first signal; 0 until one comes.
    """

    number = 0
    _of_children: Any = None  # handler of SIGCHLD, while a stop is under way

    def listen(self) -> None:
        """Begins to take note, in place of the handlers that there are."""
        _set_handlers(self._note)

    def obey(self) -> None:
        """Raises a `StopSignal` when a signal came."""
        if self.number:
            raise StopSignal(self.number)

    def _note(self, number: int, frame: object) -> None:
        if number == self.number == signal.SIGINT:
            raise StopSignal(number)
        self.number = self.number or number
        # Of several processes told to stop, a DataLoader's workers leave first; PyTorch has an
        # error of its own for that, at any place.
        if hasattr(signal, "SIGCHLD") and self._of_children is None:
            self._of_children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def end(self) -> None:
        """Hears of children again, for whoever goes on."""
        if self._of_children is not None:
            signal.signal(signal.SIGCHLD, self._of_children)


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

    before = _set_handlers(stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_handlers(handler: Callable[[int, object], None]) -> dict[int, Any]:
    """Sets the handler of the signals to stop; returns those before, of the signals it was set."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = [getattr(signal, name) for name in _STOP if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {n: old for n, old in before.items() if old not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, handler)
    return before
