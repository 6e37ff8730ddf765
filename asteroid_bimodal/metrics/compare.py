"""Two evaluations of the same pinned list, compared on the items that both could score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from .items import COLUMNS, summarise


@dataclass(frozen=True)
class Comparison:
    """What two evaluations say about the items that they have in common.

    Attributes:
        items: how many these are.
        only_first: items that the second lacks.
        only_second: items that the first lacks.
        first: summary of the first on the common items.
        second: summary of the second.
        difference: summary of first minus second, item by item: its `interval_95` tells whether
            the difference is more than chance.
    """

    items: int
    only_first: list[int]
    only_second: list[int]
    first: dict[str, Any]
    second: dict[str, Any]
    difference: dict[str, Any]


def compare_rows(
    first: Iterable[Mapping[str, Any]], second: Iterable[Mapping[str, Any]]
) -> Comparison:
    """Compares two evaluations of one list: rows of `item`, `source`, `label` and metrics.

    Raises:
        ValueError: when they have no item in common, or when an item is another mixture in each.

    Examples:
        >>> def rows(sdr): return [
        ...     {"item": i, "source": 0, "label": "violin", "sdr": v} for i, v in sdr.items()]
        >>> result = compare_rows(rows({0: 5.0, 1: 7.0, 2: 9.0}), rows({1: 6.0, 2: 7.0, 3: 0.0}))
        >>> result.items, result.difference["sdr"], result.only_first, result.only_second
        (2, 1.5, [0], [3])
    """
    tables = [_table(rows) for rows in (first, second)]
    items = [set(table.index.get_level_values("item")) for table in tables]
    common = sorted(items[0] & items[1])
    if not common:
        raise ValueError("Expected two evaluations of the same list, received no common item.")
    one, other = (table.loc[common].sort_index() for table in tables)
    differs = None if one.index.equals(other.index) else "their numbers of sources"
    if differs is None and not (one["label"] == other["label"]).all():
        differs = f"the labels of item {one.index[(one['label'] != other['label']).argmax()][0]}"
    if differs:
        raise ValueError(f"Expected two evaluations of the same list: {differs} differ.")
    names = [name for name in COLUMNS if name in one and name in other]
    difference = (one[names] - other[names]).assign(label=one["label"])
    summaries = [
        summarise(table.reset_index().to_dict("records")) for table in (one, other, difference)
    ]
    only_first, only_second = sorted(items[0] - items[1]), sorted(items[1] - items[0])
    return Comparison(len(common), only_first, only_second, *summaries)


def compare_files(first: str | Path, second: str | Path) -> Comparison:
    """Compares two `metrics.csv` of evaluations, as `compare_rows`.

    Raises:
        FileNotFoundError: when a file is missing.
        ValueError: when they are not of the same list.
    """
    return compare_rows(*(_read(Path(path)) for path in (first, second)))


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"Expected the rows of an evaluation at {path}, found none.")
    # Only an empty cell is a missing value: "NA" may be somebody's label.
    table = pd.read_csv(path, dtype={"label": str}, keep_default_na=False, na_values=[""])
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def _table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame([dict(row) for row in rows])
    missing = [name for name in ("item", "source", "label") if name not in table]
    if missing:
        raise ValueError(
            f"Expected rows with item, source and label, missing: {', '.join(missing)}. Give the "
            "metrics.csv of an evaluation."
        )
    return table.set_index(["item", "source"])
