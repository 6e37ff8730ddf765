"""Checks that a built wheel holds all that the package reads: python tests/check_wheel.py WHEEL.

Compares with the files in the repository, so that a file forgotten in setup.cfg is found.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "asteroid_bimodal"
WEIGHTS = 15_000_000  # bytes at least, of the models of the package


def missing(wheel: Path) -> list[str]:
    """Files of the package that git knows and the wheel lacks."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    tracked = subprocess.check_output(["git", "ls-files", PACKAGE], text=True).splitlines()
    lacking = [name for name in tracked if name not in sizes]
    weights = sum(size for name, size in sizes.items() if f"{PACKAGE}/pretrained/" in name)
    if weights < WEIGHTS:
        lacking.append(f"{PACKAGE}/pretrained: {weights} bytes, expected {WEIGHTS} at least")
    return lacking


if __name__ == "__main__":
    problems = missing(Path(sys.argv[1]))
    sys.exit("The wheel lacks:\n" + "\n".join(problems) if problems else 0)
