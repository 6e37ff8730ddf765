"""What `separate` tells of each input, and the recording that is piped into it."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..utils.files import disk_full_error

if TYPE_CHECKING:
    from ..models import Score
    from ..separate import FileResult

_STDIN = "stdin"  # its outputs are called stdin_<query>.wav


@contextmanager
def standard_input() -> Iterator[list[Path]]:
    """Yields a file with what is piped in: readers of audio go back and forth."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("Nothing is piped into standard input, which - stands for.")
    with TemporaryDirectory() as folder:
        path = Path(folder) / _STDIN
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        except OSError as error:
            raise disk_full_error(folder, error) or error from error
        yield [path]


class Report:
    """Prints what becomes of each input when it is known, or of all of them as JSON."""

    def __init__(self, model: str, *, as_json: bool, quiet: bool, to_pipe: bool) -> None:
        self.written: list[Path] = []
        self._model, self._as_json, self._quiet, self._to_pipe = model, as_json, quiet, to_pipe
        self._entries: list[dict[str, Any]] = []

    def add(self, result: FileResult) -> None:
        """Tells of one input."""
        self.written += result.written
        self._entries.append(self._entry(result))
        if result.status == "failed":
            path, reason = _shown(result.path), result.reason
            reason = reason.replace(str(result.path), path)
            told = reason if path in reason else f"{path}: {reason}"
            print(f"asteroid-bimodal: {told}", file=sys.stderr)
        elif not (self._as_json or self._quiet):
            for line in self._lines(result):
                print(line, file=sys.stderr if self._to_pipe else sys.stdout)

    def end(self) -> None:
        """Prints JSON, if that was wanted; ends the program where something could not be done."""
        if self._as_json:
            told = {"model": self._model, "files": self._entries}
            print(json.dumps(told, indent=2, ensure_ascii=False))
        statuses = {entry["status"] for entry in self._entries}
        if "failed" in statuses:
            sys.exit(1)
        if statuses == {"left out"}:
            raise ValueError("There is nothing to separate. Name the recordings that these are of.")

    def _lines(self, result: FileResult) -> list[str]:
        if result.status == "skipped":
            return [f"{_shown(result.path)}  skipped, {result.reason or 'finished before'}"]
        if result.status == "left out":
            return [f"{_shown(result.path)}  left out: {result.reason}"]
        scores = {path: result.scores.get(path) for path in result.written}
        return [
            (path.name if self._to_pipe else str(path)) + ("" if score is None else f"  {score}")
            for path, score in scores.items()
        ]

    def _entry(self, result: FileResult) -> dict[str, Any]:
        outputs = [
            {"file": str(output), "query": name, **score_entry(result.scores.get(output))}
            for output, name in zip_longest(result.outputs, result.queries)
            if output
        ]
        return {
            "input": _shown(result.path),
            "status": result.status,
            "reason": result.reason,
            "seconds": round(result.seconds, 2),
            "outputs": outputs,
        }


def score_entry(score: Score | None) -> dict[str, Any]:
    """A score as JSON holds it: level in dB, likelihood as a number and as a word."""
    known = score is not None and score.level > -math.inf
    return {
        "level": round(score.level, 2) if score is not None and known else None,
        "likelihood": score and score.likelihood,
        "word": score and score.word,
    }


def _shown(path: Path) -> str:
    return "standard input" if path.name == _STDIN else str(path)
