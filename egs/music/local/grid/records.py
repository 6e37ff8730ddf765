"""Finished cells as small files beside their page, which outlive the experiments."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from asteroid_bimodal.report.figures import Series
from asteroid_bimodal.utils.files import atomic_write
from asteroid_bimodal.utils.mappings import read_mapping

from .cells import Cell

_ITEM_METRICS = ("sdr", "si_sdr_imp")  # that intervals are drawn from
_DECIMALS = 4


def write_records(cells: Iterable[Cell], folder: Path) -> None:
    """Writes `<cell's folder>.json` for each, in place of what an earlier run of it had.

    Args:
        cells: of `read_cells`.
        folder: to write to.
    """
    for cell in cells:
        facts = plain(asdict(cell) | {"items": _short(cell.items)})
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        with atomic_write(folder / f"{cell.folder}.json") as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8")


def read_records(folder: Path) -> tuple[list[Cell], list[str]]:
    """Reads what `write_records` has written.

    Args:
        folder: of the records.

    Returns:
        The cells, and a sentence for each record that cannot be read.
    """
    cells, problems = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            cells.append(_as_cell(read_mapping(path)))
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
            message = " ".join(str(error).split())
            problems.append(f"{path.name}: {type(error).__name__}, {message}")
    return cells, problems


def _as_cell(facts: dict[str, Any]) -> Cell:
    items = facts["items"].items()
    return Cell(
        **facts
        | {
            "options": tuple(facts["options"]),
            "items": {name: {int(i): x for i, x in values.items()} for name, values in items},
            "quality": [
                Series(one["name"], np.array(one["x"]), np.array(one["y"], dtype=float))
                for one in facts["quality"]
            ],
        }
    )


def _short(items: Mapping[str, Mapping[int, float]]) -> dict[str, dict[int, float]]:
    return {
        name: {item: round(value, _DECIMALS) for item, value in values.items()}
        for name, values in items.items()
        if name in _ITEM_METRICS
    }


def plain(value: Any) -> Any:
    """Facts as JSON has them: lists for arrays, None for infinity and NaN."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
