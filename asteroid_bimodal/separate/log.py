"""`separated.csv`: what became of each input of a batch, whenever it is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..utils.inputs import LOG_NAME
from ..utils.ledger import Ledger, read_ledger


@dataclass(frozen=True)
class LogRow:
    """One input of a batch.

    Attributes:
        file: the input, seen from the folder of the CSV.
        status: "ok", "failed" or "skipped" (finished before).
        reason: why, unless it is "ok".
        seconds: what it took; of a skipped input, when it was done.
        outputs: names of the files, a JSON list in the CSV.
        levels: of estimates relative to the input, in dB, by file, a JSON object in the CSV; null
            of silence.
        likelihoods: from 0 to 1, by file; none of a model without calibration.
    """

    file: str = field(default="", kw_only=True)
    status: str
    reason: str = ""
    seconds: float = 0.0
    outputs: list[str] = field(default_factory=list)
    levels: dict[str, float | None] = field(default_factory=dict)
    likelihoods: dict[str, float] = field(default_factory=dict)


def read_log(path: str | Path) -> dict[str, LogRow]:
    """Reads what `separate_files` logged, also after it was killed.

    Args:
        path: the CSV.

    Returns:
        The last row of each input, by its path seen from the folder of the CSV; nothing where
        there is no CSV.

    Raises:
        ValueError: for a file that is not such a CSV.
    """
    return read_ledger(path, LogRow)


class BatchLog(Ledger[LogRow]):
    """The ledger of a batch; between runs it has one row for each input."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(Path(folder) / LOG_NAME, LogRow)

    def add(self, path: Path, row: LogRow) -> None:
        """Appends the row of an input, which replaces that of an earlier run."""
        self.append(replace(row, file=self._name_of(path), seconds=round(row.seconds, 2)))

    def skip(self, path: Path, outputs: Iterable[Path]) -> None:
        """Notes that an input was finished before, with what is known of when it was."""
        names = [output.name for output in outputs]
        known = self.rows.get(self._name_of(path))
        if known is None or known.outputs != names:
            known = LogRow("skipped", outputs=names)
        self.add(path, replace(known, status="skipped", reason="finished before"))

    def _name_of(self, path: Path) -> str:
        return os.path.relpath(path, self.path.parent)
