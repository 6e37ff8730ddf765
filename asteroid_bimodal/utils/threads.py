"""Threads that work on many files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def cancelled_pool(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing more after an error or a stop."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
