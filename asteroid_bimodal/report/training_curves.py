"""Training curves from the CSV logs, one panel per quantity."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from ..metrics import METRICS
from .figures import Series, curves

_TITLES = {
    "loss": "Total loss",
    "url": "URL, reconstruction by captions",
    "crl": "CRL, reconstruction by phrases",
    "cnt": "CNT, contrast with phrases",
    "grad_norm": "Gradient norm before clipping",
    "lr": "Learning rate",
}
QUALITY = "Validation quality"
_SPLITS = {"train": "training", "val": "validation", "valid": "validation"}


@dataclass
class Panel:
    """A chart of one or more curves of the same quantity, from step 0 to `end`."""

    title: str
    unit: str
    series: list[Series]
    end: int

    @property
    def description(self) -> str:
        """What a reader who cannot see the chart is told."""
        runs = (f"{s.name} from {s.y[0]:.4g} to {s.y[-1]:.4g}" for s in self.series)
        return f"{self.title} over training: {'; '.join(runs)}."

    @property
    def svg(self) -> Markup:
        return curves(
            self.series,
            end=self.end,
            xlabel="training step",
            ylabel=self.unit,
            description=self.description,
        )


def find_logs(exp_dir: Path) -> list[Path]:
    """Finds the logs of Lightning's CSVLogger in order; every resumed run may have left one."""
    single = exp_dir / "train_metrics.csv"
    found = sorted(exp_dir.glob("logs/**/metrics.csv"), key=_version)
    return [single] if single.exists() else found


def _version(path: Path) -> tuple[int, str]:
    number = path.parent.name.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0, str(path)


def read_panels(paths: Iterable[Path]) -> list[Panel]:
    """Reads logs into panels: separation quality first, then losses, then the rest.

    What a run logged after the step that the next one went on from is that of the next one.
    """
    tables = [table for table in map(_read_log, paths) if len(table)]
    if not tables:
        return []
    log = tables[0]
    for table in tables[1:]:
        before = log[log["step"] < table["step"].min()]
        log = pd.concat([before, table], ignore_index=True)
    log = log.sort_values("step", kind="stable")
    end = max(1, int(log["step"].max()))
    panels: dict[str, Panel] = {}
    for column in log.columns.difference(["step", "epoch"], sort=False):
        values = log[["step", column]].replace([float("inf"), -float("inf")], float("nan")).dropna()
        values = values.drop_duplicates("step", keep="last")
        if values.empty:
            continue
        title, unit, name = _place(str(column))
        panel = panels.setdefault(title, Panel(title, unit, [], end))
        panel.series.append(Series(name, values["step"].to_numpy(), values[column].to_numpy()))
    return sorted(panels.values(), key=_order)


def _read_log(path: Path) -> pd.DataFrame:
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]  # not the half row that a full disk leaves
    if not whole:
        return pd.DataFrame({"step": []})
    table = pd.read_csv(io.StringIO(whole)).apply(pd.to_numeric, errors="coerce")
    if "step" not in table:
        table["step"] = table.index
    return table


def _place(column: str) -> tuple[str, str, str]:
    """Gives panel title, unit and curve name for a column such as `train_url_epoch`."""
    match = re.fullmatch(r"(?:(train|valid|val)[_/])?(.+?)(?:[_/](step|epoch))?", column)
    split, base, every = match.groups()
    quality = re.fullmatch(r"(si_sdr|sdr|sir|sar)(_imp|i)?", base.lower())
    if quality:
        kind = " improvement" if quality[2] else ""
        name = METRICS[quality[1]]
        title = f"{_SPLITS.get(split, 'validation').capitalize()} quality{kind}"
        return title, "dB", name
    if base.startswith("lr-"):
        return _TITLES["lr"], "", base[3:]
    name = _SPLITS.get(split, "training")
    if every:
        name += {"step": ", single steps", "epoch": ", epoch means"}[every]
    return _TITLES.get(base.lower(), base), "", name


def _order(panel: Panel) -> tuple[int, int]:
    titles = list(_TITLES.values())
    last = panel.title in (_TITLES["grad_norm"], _TITLES["lr"])
    known = titles.index(panel.title) if panel.title in titles else len(titles)
    return (0 if "quality" in panel.title else 2 if last else 1), known
