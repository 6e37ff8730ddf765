"""Scores of worker processes are those of this one, and no worker outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from asteroid_bimodal.metrics.items import ItemSignals
from asteroid_bimodal.metrics.pool import ScoringPool

RATE = 8000


@pytest.fixture(scope="module")
def batches():
    """Three batches, among them a silent estimate, a silent reference and equal references."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(7):
        ref = rng.standard_normal((2, 3000))
        est = ref + 0.3 * ref[::-1] + 0.1 * rng.standard_normal(ref.shape)
        est[0] *= number != 2
        ref[1] *= number != 3
        ref[1] = ref[0] if number == 4 else ref[1]
        cosines = None if number else rng.uniform(size=(2, 3))
        found.append((ItemSignals.of(est, ref, ref.sum(0), ["a", "b"]), cosines))
    return [("first", found[:3]), ("second", found[3:6]), ("third", found[6:])]


@pytest.fixture(scope="module")
def pool():
    with ScoringPool(2, RATE) as pool:
        yield pool


def scored(batches):
    with ScoringPool(0, RATE) as pool:
        return list(pool.score(batches))


def test_results_do_not_depend_on_workers_or_batches(batches, pool):
    expected = scored(batches)
    assert [name for name, _ in expected] == ["first", "second", "third"]
    alone = scored([(name, [item]) for name, items in batches for item in items])
    rows = [row for _, rows in expected for row in rows]
    np.testing.assert_equal([row for _, rows in alone for row in rows], rows)
    np.testing.assert_equal(list(pool.score(batches)), expected)


def test_an_error_of_a_worker_is_raised_here(batches, pool):
    item, _ = batches[0][1][0]
    short = ItemSignals(item.signals[:, :900], item.references[:, :900], item.phrases)
    with pytest.raises(ValueError, match="at least 512 samples per source"):
        list(pool.score([("short", [(short, None)])]))


def test_a_killed_worker_is_told(batches, pool):
    for worker in pool._pool._processes:
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(OSError, match="A process that scores was killed: .*num_workers"):
        list(pool.score(batches))


def test_workers_end_with_a_killed_parent():
    code = """
import sys
from asteroid_bimodal.metrics.pool import ScoringPool
pool = ScoringPool(2, 8000)
assert pool._pool.submit(int).result() == 0
print(*pool._pool._processes, flush=True)
sys.stdin.read()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as parent:
        workers = [int(number) for number in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
    end = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, workers))


def is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
