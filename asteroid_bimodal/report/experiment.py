"""Reads an experiment folder, and notes which of its files are broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ..metrics import summarise
from ..utils.mappings import read_mapping
from .training_curves import QUALITY, Panel, find_logs, read_panels

T = TypeVar("T")


@dataclass
class Experiment:
    """What an experiment folder holds; what it lacks is empty."""

    configuration: str = ""  # text of conf.yml
    facts: list[tuple[str, str]] = field(default_factory=list)  # of conf.yml and run.json
    rows: list[dict[str, Any]] = field(default_factory=list)  # one per test item and source
    summary: dict[str, Any] = field(default_factory=dict)  # final_metrics.json, or from the rows
    panels: list[Panel] = field(default_factory=list)  # training curves
    skipped_in_training: list[dict[str, Any]] = field(default_factory=list)
    unfinished: str = ""  # a sentence, while training has not ended
    unreadable: list[str] = field(default_factory=list)  # one sentence per broken file

    def attempt(self, read: Callable[[Path], T], path: Path, default: T) -> T:
        """Reads a file; the default when it is missing or broken, the latter noted."""
        try:
            return read(path) if path.exists() else default
        except (ValueError, OSError) as error:
            reason = str(error).replace(str(path), "it")
            self.unreadable.append(f"{path.name} cannot be read: {reason}")
            return default


def read_experiment(exp_dir: Path, train_log: Path | None = None) -> Experiment:
    """Reads a folder; `train_log` is a CSV log in place of those in the folder."""
    experiment = Experiment()
    experiment.configuration = experiment.attempt(_read_text, exp_dir / "conf.yml", "")
    conf = experiment.attempt(read_mapping, exp_dir / "conf.yml", {})
    experiment.rows = experiment.attempt(_read_rows, exp_dir / "metrics.csv", [])
    final = experiment.attempt(read_mapping, exp_dir / "final_metrics.json", {})
    experiment.summary = summarise(experiment.rows) | final
    run = experiment.attempt(read_mapping, exp_dir / "run.json", {})
    experiment.facts = _facts(conf, run, final.get("model"))
    logs = find_logs(exp_dir) if train_log is None else [train_log]
    experiment.panels = experiment.attempt(lambda _: read_panels(logs), exp_dir, [])
    if logs and conf and not (exp_dir / "run.json").exists() and "model" not in final:
        experiment.unfinished = _unfinished(conf, experiment.panels)
    for path in sorted(exp_dir.glob("skipped*.csv")):
        experiment.skipped_in_training += experiment.attempt(_read_skipped, path, [])
    return experiment


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read_rows(path: Path) -> list[dict[str, Any]]:
    text_columns = dict.fromkeys(("item", "label", "phrase"), str)
    # Only an empty cell is a missing value: "NA" may be somebody's label.
    table = pd.read_csv(path, dtype=text_columns, keep_default_na=False, na_values=[""])
    missing = {"item", "label"} - set(table)
    if missing:
        raise ValueError(f"expected the columns item and label, missing {sorted(missing)}")
    return table.fillna({"item": "", "label": "", "phrase": ""}).to_dict("records")


def _read_skipped(path: Path) -> list[dict[str, Any]]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


def _unfinished(conf: Mapping[str, Any], panels: Sequence[Panel]) -> str:
    training = conf.get("training")
    wanted = training.get("epochs") if isinstance(training, dict) else None
    validated = [len(s.x) for panel in panels if panel.title == QUALITY for s in panel.series]
    share = f" of {wanted}" if wanted else ""
    return f"Training has not ended: {max(validated, default=0)}{share} epochs are done."


def _facts(
    conf: Mapping[str, Any], run: Mapping[str, Any], model: Any = None
) -> list[tuple[str, str]]:
    """Names and values of what is known; of a model of elsewhere, no options of a training."""
    data = conf.get("data")
    data = data if isinstance(data, dict) else {}
    versions = run.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    of_training = {
        "System": conf.get("system"),
        "Sources in training": _with_unit(data.get("n_src"), "per mixture"),
        "Seed": conf.get("seed"),
    }
    known = {
        **(of_training if model is None else {"Model": model}),
        "Sample rate": _with_unit(data.get("sample_rate"), "Hz"),
        "Device": run.get("device"),
        "Training time": _with_unit(run.get("minutes"), "min"),
        "Steps": _with_unit(run.get("steps"), ""),
        "Epochs": run.get("epochs"),
        "Parameters": _with_unit(run.get("parameters"), ""),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Commit": run.get("commit"),
        "Command": run.get("command"),
    }
    return [(name, str(value)) for name, value in known.items() if value not in (None, "")]


def _with_unit(value: Any, unit: str) -> str | None:
    if value is None:
        return None
    number = f"{value:,}" if isinstance(value, int | float) else str(value)
    return f"{number} {unit}".strip()
