"""Cells of a grid: experiments that differ in system, sources per training mixture and seed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from asteroid_bimodal.metrics import METRICS, summarise
from asteroid_bimodal.report.figures import Series
from asteroid_bimodal.report.training_curves import find_logs, read_panels
from asteroid_bimodal.utils.mappings import read_mapping

# In the order of the paper's Table 1; * marks those with the improved U-Net.
SYSTEMS = {
    "pit": "PIT*",
    "mixit": "MixIT",
    "mixpit": "MixPIT",
    "clipsep_img": "CLIPSep-Img",
    "clipsep_img_star": "CLIPSep-Img*",
    "cosep": "CoSep*",
    "sop": "SOP*",
    "clipsep_text": "CLIPSep-Text",
    "clipsep_text_star": "CLIPSep-Text*",
    "bertsep": "BertSep*",
    "clapsep": "CLAPSep*",
    "lassnet": "LASS-Net",
    "audiosep": "AudioSep",
    "weaksup": "Weak-Sup",
    "bimodal_timbre_joint": "Proposed, timbre classifier trained concurrently",
    "bimodal_timbre": "Proposed, timbre classifier pretrained",
    "bimodal_clap": "Proposed, CLAP",
    "clipsep_nit": "CLIPSep-NIT",
    "bimodal_clap_fast": "Proposed, CLAP, light U-Net",
    "audiosep_bimodal": "Proposed, CLAP, AudioSep's network",
    "bimodal_semi": "Proposed, semi-supervised",
}
_OF_SHARES = re.compile(r"(^|\.)(share|root)=")


@dataclass(frozen=True)
class Score:
    """A mean and half of its 95 % interval, None where there is too little to say."""

    mean: float
    half: float | None


@dataclass(frozen=True)
class Cell:
    """One finished experiment of a grid.

    Attributes:
        folder: its name.
        system: key of the system.
        n_src: sources in each training mixture.
        seed: of the run.
        options: what the cell has of its own, such as `lr=1e-3`.
        single_share: part of the recordings that served as single sources.
        mixture_share: part of the recordings that was mixed.
        single_root: data set of the single sources where it is another one.
        summary: of `final_metrics.json`.
        run: of `run.json`.
        items: of each metric, its values by test item.
        recordings: means over pairs of real recordings, and the share that is `better`.
        quality: SDR, SIR and SAR of validation over training steps.
        parts: in how many goes it was trained.
    """

    folder: str
    system: str
    n_src: int
    seed: int
    options: tuple[str, ...] = ()
    single_share: float = 0.0
    mixture_share: float = 1.0
    single_root: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    items: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    recordings: Mapping[str, float] = field(default_factory=dict)
    quality: Sequence[Series] = ()
    parts: int = 1

    @property
    def semi_supervised(self) -> bool:
        """Whether it learned from single sources and from mixtures."""
        return self.single_share > 0 and self.mixture_share > 0


@dataclass(frozen=True)
class Group:
    """Cells that differ in nothing but their seed, at least one."""

    cells: Sequence[Cell]

    @property
    def first(self) -> Cell:
        """Stands for what the cells have in common."""
        return self.cells[0]

    @property
    def name(self) -> str:
        """The system as the paper prints it, with the options of the cell's own."""
        return _name(self.first.system, self.first.options)

    @property
    def name_beside_shares(self) -> str:
        """As `name`, where the shares of the data have columns of their own."""
        options = [text for text in self.first.options if not _OF_SHARES.search(text)]
        return _name(self.first.system, options)

    @property
    def summary(self) -> Mapping[str, Any]:
        """Means and intervals: over test items with one seed, over the seeds with several."""
        if len(self.cells) == 1:
            return self.first.summary
        names = [prefix + m + end for m in METRICS for prefix, end in _COLUMNS]
        rows = [
            {"item": cell.seed, "label": cell.system}
            | {name: cell.summary[name] for name in names if cell.summary.get(name) is not None}
            for cell in self.cells
        ]
        return summarise(rows)

    @property
    def on_recordings(self) -> Group | None:
        """The cells that were scored on pairs of real recordings, with these scores, if any."""
        cells = [
            replace(cell, summary={"interval_95": {}} | cell.recordings)
            for cell in self.cells
            if cell.recordings
        ]
        return Group(cells) if cells else None

    def score(self, metric: str) -> Score | None:
        """Gives the mean of a metric with its interval; None where nothing could be scored.

        Args:
            metric: sdr, sdr_imp, sir and so on.
        """
        summary = self.summary
        mean, bounds = summary.get(metric), summary["interval_95"].get(metric)
        if mean is None:
            return None
        return Score(mean, (bounds[1] - bounds[0]) / 2 if bounds else None)


_COLUMNS = (("", ""), ("input_", ""), ("", "_imp"))


def _name(system: str, options: Sequence[str]) -> str:
    name = SYSTEMS.get(system, system)
    return f"{name} ({', '.join(options)})" if options else name


def group_cells(cells: Iterable[Cell]) -> list[Group]:
    """Joins the seeds of each cell, and orders by system, data and options.

    Args:
        cells: of `read_cells`.

    Examples:
        >>> cells = [Cell("a", "clapsep", 2, seed) for seed in (0, 1)] + [Cell("b", "pit", 1, 0)]
        >>> [(group.name, len(group.cells)) for group in group_cells(cells)]
        [('PIT*', 1), ('CLAPSep*', 2)]
    """
    order = {key: number for number, key in enumerate(SYSTEMS)}
    groups: dict[tuple, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell.seed):
        place = (order.get(cell.system, len(order)), cell.system, bool(cell.options))
        single = cell.single_share if cell.semi_supervised else 0.0
        data = (cell.single_root or "", single, cell.n_src, -cell.single_share, cell.mixture_share)
        groups.setdefault((*place, *data, cell.options), []).append(cell)
    return [Group(groups[key]) for key in sorted(groups)]


def read_cells(folder: Path, data: str, test_n_src: int = 2) -> tuple[list[Cell], list[str]]:
    """Reads the finished experiments of a grid.

    Args:
        folder: holds an experiment `<data>_<system>_<K>src_seed<N>[_<options>]` for each cell.
        data: the data set.
        test_n_src: sources in each test mixture.

    Returns:
        The cells, and a sentence for each that is there but cannot be read.
    """
    suffix = "" if test_n_src == 2 else f"_{test_n_src}src"
    cells, problems = [], []
    for final in sorted(folder.glob(f"{data}_*/final_metrics{suffix}.json")):
        try:
            cell = _read_cell(final, data)
        except (ValueError, OSError, KeyError, TypeError, yaml.YAMLError) as error:
            message = " ".join(str(error).split())
            problems.append(f"{final.parent.name}: {type(error).__name__}, {message}")
            continue
        if cell is not None:
            cells.append(cell)
    return cells, problems


def _read_cell(final: Path, data: str) -> Cell | None:
    """Reads one experiment; gives None for one that another grid has made."""
    folder = final.parent
    conf = yaml.safe_load((folder / "conf.yml").read_text(encoding="utf-8"))
    stem = f"{data}_{conf['system']}_{conf['data']['n_src']}src_seed{conf['seed']}"
    name, _, options = folder.name.partition(stem)
    if name or (options and not options.startswith("_")):
        return None
    single_share, mixture_share = _shares(conf["data"])
    clean = conf["data"].get("clean") or {}
    logs = find_logs(folder)
    panels = {panel.title: panel.series for panel in read_panels(logs)}
    return Cell(
        folder=folder.name,
        system=conf["system"],
        n_src=conf["data"]["n_src"],
        seed=conf["seed"],
        options=tuple(re.split(r",(?=[\w.]+=)", options[1:])) if options else (),
        single_share=single_share,
        mixture_share=mixture_share,
        single_root=clean.get("root") if single_share else None,
        summary={"interval_95": {}} | read_mapping(final),
        run=read_mapping(folder / "run.json"),
        items=_items(folder / final.name.replace("final", "all").replace(".json", ".csv")),
        recordings=_recordings(folder / "real_pairs.csv"),
        quality=panels.get("Validation quality", []),
        parts=len(logs),
    )


def _items(path: Path) -> dict[str, dict[int, float]]:
    """Reads `all_metrics.csv`: the values of each metric by item, but for those that are none."""
    if not path.is_file():
        return {}
    with _naming(path):
        table = pd.read_csv(path, index_col="item").apply(pd.to_numeric)
    return {str(name): column.dropna().to_dict() for name, column in table.items()}


def _recordings(path: Path) -> dict[str, float]:
    """Averages what benchmarks/real_pairs.py wrote for pairs at equal level."""
    if not path.is_file():
        return {}
    with _naming(path):
        table = pd.read_csv(path)[["level", "sdr_imp", "si_sdr_imp"]].apply(pd.to_numeric)
    gains = table[table.pop("level") == 0].dropna()
    means = {str(name): float(values.mean()) for name, values in gains.items()}
    return means | {"better": float((gains["sdr_imp"] > 0).mean())} if len(gains) else {}


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says of which file an error in its content is."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path.name}, {error}") from error


def _shares(data: Mapping[str, Any]) -> tuple[float, float]:
    """Gives the parts of the recordings that are single sources and that are mixed."""
    share, clean = data.get("share", 1.0), data.get("clean") or {}
    if data["n_src"] == 1:
        return share, 0.0
    single = clean.get("share", 0.0)
    return single, share if clean.get("root") else round(share - single, 6)
