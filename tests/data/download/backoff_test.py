import threading
import time

import pytest

from asteroid_bimodal.data.download.backoff import Backoff
from asteroid_bimodal.data.download.errors import FetchError, RefusedError, UnreachableError


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the pauses move."""

    class Stop:
        def __init__(self):
            self.now, self.pauses = 1000.0, []

        def wait(self, seconds):
            self.pauses.append(round(seconds, 6))
            self.now += seconds
            return False

    stop = Stop()
    monkeypatch.setattr(time, "monotonic", lambda: stop.now)
    return stop


@pytest.mark.parametrize(
    ("error", "first"), [(UnreachableError("no answer"), 1.0), (RefusedError("429"), 10.0)]
)
def test_pauses_double_until_a_server_answers(clock, error, first):
    backoff = Backoff(1.0, clock)
    for _ in range(3):
        backoff.wait()
        backoff.failed(error)
        backoff.failed(error)  # of a thread that had asked before the pause
    backoff.wait()
    backoff.answered()
    backoff.wait()
    assert clock.pauses == [1.0, first, 2 * first, 4 * first, 1.0]


def test_pauses_have_an_end(clock):
    backoff = Backoff(1.0, clock)
    for _ in range(20):
        backoff.failed(RefusedError("429"))
        backoff.wait()
    assert max(clock.pauses) == 600.0


def test_a_run_that_is_stopped_waits_no_more():
    stop = threading.Event()
    stop.set()
    with pytest.raises(FetchError, match="stopped"):
        Backoff(100.0, stop).wait()


def test_impossible_pauses():
    with pytest.raises(ValueError, match="A pause lasts 0 to 600 s, received -1"):
        Backoff(-1, threading.Event())
