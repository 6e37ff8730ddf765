"""Keeps from the screen what Lightning tells and a user of the recipes has no use for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Devices and why training ended are said in our own words; among the rest are advertisements.
_LOGS = ("pytorch_lightning", "lightning_fabric", "lightning_utilities")
_WARNINGS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # of torch, about Lightning
    "The number of training batches .* is smaller than the logging interval",
    r"torch\.distributed\.nn\.functional\.\w+ is deprecated",  # for what has no public name yet
    "You're resuming from a checkpoint that ended before",  # the data set is told where to go on
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silences Lightning's information, and warnings that nobody can do anything about."""
    logs = [logging.getLogger(name) for name in _LOGS]
    levels = [log.level for log in logs]
    with warnings.catch_warnings():
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message)
        for log in logs:
            log.setLevel(max(log.level, logging.WARNING))
        try:
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)
