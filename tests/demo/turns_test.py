"""Jobs take turns, and each has its own warnings."""

from __future__ import annotations

import warnings
from threading import Thread

from asteroid_bimodal.demo.turns import Turns


def test_a_short_job_does_not_wait_for_a_long_one():
    turns, done, told = Turns(), [], {}

    def work(name, steps):
        with turns.take() as turn:
            for step in range(steps):
                done.append(f"{name}{step}")
                warnings.warn(f"{name}{step}", stacklevel=1)
                turn.pass_on()
        told[name] = [str(warning.message) for warning in turn.warnings]

    with turns.take():  # until both have come
        threads = [Thread(target=work, args=job) for job in (("long", 5), ("short", 2))]
        for count, thread in enumerate(threads, 2):
            thread.start()
            while len(turns._queue) < count:
                pass
    for thread in threads:
        thread.join()
    assert done == ["long0", "short0", "long1", "short1", "long2", "long3", "long4"]
    assert told == {"long": [f"long{k}" for k in range(5)], "short": ["short0", "short1"]}


def test_a_job_that_fails_lets_the_next_one_work():
    turns = Turns()
    for _ in range(2):
        try:
            with turns.take():
                raise ValueError
        except ValueError:
            pass
    with turns.take():
        pass
