"""Measures what the command line takes to answer, and where that time goes.

    python benchmarks/startup.py

CPU seconds (user and system) of new processes, one thread, Python's own start and end among them,
the least of some: what other work on the machine adds is no part of it. The steps up to a separated
file are each a process that does all steps before it, too.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

SECONDS, RATE = 10, 44100
COMMAND, OPTIONS = ["-m", "asteroid_bimodal"], ["--overwrite", "--device", "cpu"]
ANSWERS = {
    "--help": [*COMMAND, "--help"],
    "--version": [*COMMAND, "--version"],
    "separate --help": [*COMMAND, "separate", "--help"],
    "an unknown command": [*COMMAND, "nonsense"],
    "a missing argument": [*COMMAND, "separate"],
    "import asteroid_bimodal": ["-c", "import asteroid_bimodal"],
}
STEPS = {
    "Python": "import sys",
    "PyTorch": "import torch",
    "Asteroid": "import asteroid.models",
    "this package": (
        "from asteroid_bimodal.hub import load_model\n"
        "from asteroid_bimodal.separate import encode_queries, separate_files"
    ),
    "the model mini": "model = load_model('mini', 'cpu')",
    "a label's embedding": "encode_queries(model, ['violin'])",
    f"separating {SECONDS} s": "separate_files(model, [sys.argv[1]], ['violin'], overwrite=True)",
}
# Of the short form: what is measured, and what it is measured by.
RATIOS = {
    "separate --help, Python alone = 1": (ANSWERS["separate --help"], ["-c", "pass"]),
    "separate violin, importing Asteroid = 1": (
        [*COMMAND, "separate", "PATH", "violin", *OPTIONS],
        ["-c", "import asteroid.models"],
    ),
}
ASKED = ("violin", "a violin")  # a label of the model, and a text that only its encoder knows


def seconds(arguments: list[str]) -> float:
    """CPU time of one new Python."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode not in (0, 2):  # 2 is that of a usage error
        raise RuntimeError(ended.stderr.decode())
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def least(processes: dict[str, list[str]], rounds: int) -> dict[str, float]:
    """CPU time of each process, the least of some rounds."""
    times = [[seconds(arguments) for arguments in processes.values()] for _ in range(rounds)]
    return dict(zip(processes, map(min, zip(*times, strict=True)), strict=True))


@contextmanager
def input_file() -> Iterator[str]:
    """Writes noise to a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "noise.wav"
        soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, SECONDS * RATE), RATE)
        yield str(file)


def measure(path: str, rounds: int) -> None:
    """Prints a line for each answer, each step and each command."""
    for name, total in least(ANSWERS, rounds).items():
        print(f"{name:30}{total:6.2f} s")
    print("\nseparating, step by step", flush=True)
    code = ["\n".join(list(STEPS.values())[: number + 1]) for number in range(len(STEPS))]
    steps = {name: ["-c", done, path] for name, done in zip(STEPS, code, strict=True)}
    totals = least(steps, rounds)
    for (name, total), before in zip(totals.items(), [0.0, *totals.values()], strict=False):
        print(f"{name:30}{total - before:6.2f} s {total:6.2f} s in all")
    print("\nthe command", flush=True)
    commands = {text: [*COMMAND, "separate", path, text, *OPTIONS] for text in ASKED}
    for text, total in least(commands, rounds).items():
        print(f"separate {text!r:21}{total:6.2f} s")


def short() -> dict[str, float]:
    """What a command takes over that of something that it cannot do without."""
    with input_file() as path:
        found = {}
        for name, pair in RATIOS.items():
            ours, other = ([path if part == "PATH" else part for part in one] for one in pair)
            times = least({"ours": ours, "other": other}, 3)
            found[name] = times["ours"] / times["other"]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    with input_file() as path:
        measure(path, parser.parse_args().rounds)
