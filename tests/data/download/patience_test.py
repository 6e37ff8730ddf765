import threading
import time

import pytest

from asteroid_bimodal.data.download.patience import Patience
from asteroid_bimodal.data.download.problems import FetchError, RefusedError, UnreachableError


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
    ("trouble", "first"), [(UnreachableError("no answer"), 1.0), (RefusedError("429"), 10.0)]
)
def test_pauses_double_until_a_server_answers(clock, trouble, first):
    patience = Patience(1.0, clock)
    for _ in range(3):
        patience.wait()
        patience.trouble(trouble)
        patience.trouble(trouble)  # of a thread that had asked before the pause
    patience.wait()
    patience.answered()
    patience.wait()
    assert clock.pauses == [1.0, first, 2 * first, 4 * first, 1.0]


def test_pauses_have_an_end(clock):
    patience = Patience(1.0, clock)
    for _ in range(20):
        patience.trouble(RefusedError("429"))
        patience.wait()
    assert max(clock.pauses) == 600.0


def test_a_run_that_is_stopped_waits_no_more():
    stop = threading.Event()
    stop.set()
    with pytest.raises(FetchError, match="stopped"):
        Patience(100.0, stop).wait()


def test_impossible_pauses():
    with pytest.raises(ValueError, match="a pause of 0 to 600 s, received -1"):
        Patience(-1, threading.Event())
