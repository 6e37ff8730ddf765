"""Measures what the command line takes to answer: python benchmarks/startup.py.

CPU seconds (user and system) of new processes, Python's own start among them, the median of some.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

QUESTIONS = {
    "python alone": ["-c", "pass"],
    "--help": ["-m", "asteroid_bimodal", "--help"],
    "--version": ["-m", "asteroid_bimodal", "--version"],
    "separate --help": ["-m", "asteroid_bimodal", "separate", "--help"],
    "an unknown command": ["-m", "asteroid_bimodal", "nonsense"],
    "a missing argument": ["-m", "asteroid_bimodal", "separate"],
    "import asteroid_bimodal": ["-c", "import asteroid_bimodal"],
    "and its models": ["-c", "from asteroid_bimodal import BiModalUNet"],
}


def seconds(arguments: list[str]) -> float:
    """CPU time of one new Python."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True)
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


def short() -> dict[str, float]:
    """Time to answer over that of Python alone, for `benchmarks.check`."""
    names = ("separate --help", "python alone")
    ours, python = (median(seconds(QUESTIONS[name]) for _ in range(9)) for name in names)
    return {"separate --help, Python alone = 1": ours / python}


if __name__ == "__main__":
    for name, arguments in QUESTIONS.items():
        print(f"{name:26}{median(seconds(arguments) for _ in range(5)):6.2f} s")
