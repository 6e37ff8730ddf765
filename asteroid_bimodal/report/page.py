"""An experiment folder as one HTML page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ..metrics import METRICS, SILENT_ESTIMATE_DB, metric_title, summarise
from ..utils.files import atomic_write
from ..utils.spectrogram import FLOOR_DB
from .example import Example, render_example
from .experiment import read_experiment
from .figures import boxes, color_bar, histogram

_MAX_BOXES = 40


def write_report(
    exp_dir: str | Path,
    *,
    examples: Iterable[Example] = (),
    title: str | None = None,
    train_log: str | Path | None = None,
) -> Path:
    """Writes `report.html`: what was run, how well it separates, how it got there, how it sounds.

    Everything is inside the one file, which asks for nothing from elsewhere. What the folder does
    not hold is said in words: nothing of it is required.

    Args:
        exp_dir: folder of the experiment. Read are `conf.yml`, `run.json` (command, device,
            time), `final_metrics.json`, `metrics.csv` (the rows), `skipped*.csv` (clips that
            training could not use) and the logs of training.
        examples: items to show as spectrograms and players.
        title: of the page; the folder's name by default.
        train_log: a `metrics.csv` of Lightning's CSVLogger, in place of `train_metrics.csv` or
            `logs/**/metrics.csv` of the folder.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: when there is no such folder.

    Examples:
        >>> import tempfile
        >>> page = write_report(tempfile.mkdtemp(), title="Nothing yet")
        >>> page.name, "No test results" in page.read_text(encoding="utf-8")
        ('report.html', True)
    """
    exp_dir = Path(exp_dir)
    if not exp_dir.is_dir():
        raise FileNotFoundError(f"{exp_dir} is not the folder of an experiment. Train one first.")
    experiment = read_experiment(exp_dir, None if train_log is None else Path(train_log))
    rows, summary = experiment.rows, experiment.summary
    page = _template().render(
        title=title or exp_dir.resolve().name,
        experiment=experiment,
        summary=summary,
        metrics=[(key, name) for key, name in METRICS.items() if key in summary],
        octaves=[name[7:] for name in summary if name.startswith("octave_")],
        by_sources=_by_number_of_sources(rows),
        distributions=_distributions(rows),
        classes=_class_boxes(rows),
        examples=[render_example(example) for example in examples],
        floor=FLOOR_DB,
        color_bar=color_bar(),
        silent_estimate=SILENT_ESTIMATE_DB,
    )
    path = exp_dir / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": format_number, "interval": format_interval}
    return environment.get_template("report.html")


def format_number(value: float | None, digits: int = 2, sign: bool = False) -> str:
    """Formats a number with a real minus sign; a dash for None and non-finite numbers."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def format_interval(bounds: Sequence[float] | None, digits: int = 2, sign: bool = False) -> str:
    """Formats an interval such as "−1.0 to 2.5"; a dash for None."""
    if not isinstance(bounds, (list, tuple)) or not bounds:
        return "–"
    return " to ".join(format_number(bound, digits, sign) for bound in bounds)


def _by_number_of_sources(rows: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    numbers = sorted({int(row["n_sources"]) for row in rows if "n_sources" in row})
    if len(numbers) < 2:
        return []
    return [(n, summarise(row for row in rows if row.get("n_sources") == n)) for n in numbers]


def _distributions(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Title and histogram of every metric."""
    table, charts = pd.DataFrame(rows), []
    for key, name in METRICS.items():
        if key not in table or table[key].dropna().empty:
            continue
        values = table[key].dropna().to_numpy()
        # The mixture's SAR is the limit for every source: a bar of its own that says nothing.
        with_mixture = f"input_{key}" in table and key != "sar"
        before = table[f"input_{key}"].dropna().to_numpy() if with_mixture else None
        quartiles = pd.Series(values).quantile([0.25, 0.5, 0.75]).map("{:.2f}".format)
        description = (
            f"{name} of {len(values)} test sources: median {quartiles[0.5]}, "
            f"middle half from {quartiles[0.25]} to {quartiles[0.75]}."
        )
        chart = histogram(values, before, xlabel=metric_title(key), description=description)
        charts.append((name, chart))
    return charts


def _class_boxes(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Box plots of the SDR improvement per class, the best class first."""
    table = pd.DataFrame(rows)
    if not {"label", "sdr_imp"} <= set(table) or table["sdr_imp"].dropna().empty:
        return None
    groups = {str(label): group.to_numpy() for label, group in table.groupby("label")["sdr_imp"]}
    groups = {name: values[~pd.isna(values)] for name, values in groups.items()}
    medians = pd.Series({n: float(pd.Series(v).median()) for n, v in groups.items() if len(v)})
    names = list(medians.sort_values(ascending=False, kind="stable").index)
    shown = names
    if len(names) > _MAX_BOXES:
        shown = names[: _MAX_BOXES // 2] + names[-_MAX_BOXES // 2 :]
    listed = ", ".join(f"{name} {medians[name]:.1f}" for name in shown)
    svg = boxes(
        {f"{name} ({len(groups[name])})": groups[name] for name in shown},
        xlabel="SDR improvement over the mixture (dB)",
        description=f"SDR improvement per class, medians in dB: {listed}.",
    )
    return {"svg": svg, "shown": len(shown), "count": len(names)}
