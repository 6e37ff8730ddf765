"""Scripts of benchmarks/, with recordings to run them on."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Runs a script as `python benchmarks/<name>.py`."""

    def run(name: str, *options: object) -> None:
        monkeypatch.syspath_prepend(BENCHMARKS)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, options)])
        runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")

    return run


@pytest.fixture
def recordings(tone_set) -> Path:
    """The training clips of the tones: two of each of eight labels."""
    return tone_set.root / "train.csv"
