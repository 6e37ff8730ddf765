"""Two pieces of work against each other: CPU times in turns, so that a busy machine slows both."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

Work = Callable[[], object]


def cpu_seconds(work: Work) -> float:
    """CPU time of this process, all threads of it, for one piece of work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def medians(works: dict[str, Work], rounds: int = 5) -> dict[str, float]:
    """CPU seconds of each piece of work, the median of some rounds after one that counts not."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            seconds = cpu_seconds(work)
            if number:
                times[name].append(seconds)
    return {name: median(seconds) for name, seconds in times.items()}


def ratio(ours: Work, other: Work, rounds: int = 5) -> float:
    """Time of ours over that of the other, the median over rounds."""
    ratios = []
    for _ in range(rounds + 1):
        ratios.append(cpu_seconds(ours) / cpu_seconds(other))
    return median(ratios[1:])
