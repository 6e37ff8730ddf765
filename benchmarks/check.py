"""Runs the short form of each benchmark and says what is more than 15 % slower than recorded.

A benchmark's short form is its function `short`, which gives ratios by name: the time of ours over
that of something else, measured in turns in this process, so that neither the machine nor what else
runs on it matters much. What looks slower is measured again, twice at most, and the least counts.
Recorded ratios are in benchmarks/ratios.json. The exit code is 1 when something is slower.

    python -m benchmarks.check [NAME …]
    python -m benchmarks.check --record
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
RECORD = FOLDER / "ratios.json"
SLOWER, TRIES = 1.15, 3


def names() -> list[str]:
    """The benchmarks that have a short form."""
    return [
        path.stem for path in sorted(FOLDER.glob("*.py")) if "\ndef short()" in path.read_text()
    ]


def measure(name: str, recorded: dict[str, float]) -> dict[str, float]:
    """The ratios of a benchmark, the least of some tries where they are above the recorded ones."""
    benchmark, found = importlib.import_module(name), {}
    for _ in range(TRIES):
        for key, value in benchmark.short().items():
            found[key] = min(value, found.get(key, value))
        if not any(is_slower(value, recorded.get(key)) for key, value in found.items()):
            break
    return found


def is_slower(value: float, recorded: float | None) -> bool:
    """Whether a ratio is above the recorded one by more than the tolerance."""
    return recorded is not None and value > SLOWER * recorded


def main(options: list[str] | None = None) -> int:
    """Prints a row for each ratio; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--record", action="store_true", help="write what is measured")
    args = parser.parse_args(options)
    if unknown := sorted(set(args.names) - set(names())):
        parser.error(f"no short benchmark {', '.join(unknown)}; there are {', '.join(names())}")
    sys.path.insert(0, str(FOLDER))  # benchmarks import each other as scripts do
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    found: dict[str, float] = {}
    for name in args.names or names():
        known = {} if args.record else recorded
        for key, value in measure(name, known).items():
            found[key] = round(value, 4)
            before = recorded.get(key)
            verdict = "new" if before is None else f"{100 * (value / before - 1):+.0f} %"
            verdict += ", SLOWER" if is_slower(value, before) else ""
            print(f"{name + ': ' + key:60} {value:8.4f}  recorded {before or '–':>8}  {verdict}")
    if args.record:
        RECORD.write_text(json.dumps(recorded | found, indent=1, sort_keys=True) + "\n")
        return 0
    return int(any(is_slower(value, recorded.get(key)) for key, value in found.items()))


if __name__ == "__main__":
    sys.exit(main())
