"""From estimates to rows, and from rows to the figures of `final_metrics.json`."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from scipy.stats import t as student_t

from ..utils.files import atomic_write
from .spectrum import OCTAVES, level_deviation, mean_size, octave_levels
from .waveform import as_array, checked_pair, is_silent, pairwise_bss_evals, si_sdr

# Names of columns and of readers; all but the CLAP score are in dB.
METRICS = {
    "sdr": "SDR",
    "sir": "SIR",
    "sar": "SAR",
    "si_sdr": "SI-SDR",
    "colouration": "Colouration",
    "clap_score": "CLAP score",
}
_OCTAVES = [f"octave_{centre}" for centre in OCTAVES]
COLUMNS = [name for metric in METRICS for name in (metric, f"input_{metric}", f"{metric}_imp")]
COLUMNS += _OCTAVES


def metric_title(column: str) -> str:
    """Names a column such as `sdr_imp` for a reader, with its unit.

    Args:
        column: one of `METRICS`, or the same with `_imp`.

    Examples:
        >>> metric_title("sdr"), metric_title("clap_score")
        ('SDR (dB)', 'CLAP score')
        >>> metric_title("si_sdr_imp")
        'SI-SDR improvement over the mixture (dB)'
    """
    metric = column.removesuffix("_imp")
    change = " improvement over the mixture" if metric != column else ""
    return METRICS[metric] + change + ("" if metric == "clap_score" else " (dB)")


class Scorer(Protocol):
    """What `evaluate_item` asks of a text-audio scorer such as `ClapScorer`."""

    def embed_audio(self, wav: torch.Tensor, sample_rate: int) -> torch.Tensor:
        """Embeds (M, T) waveforms as (M, E)."""

    def embed_text(self, texts: list[str]) -> torch.Tensor:
        """Embeds M texts as (M, E)."""


def evaluate_item(
    estimates: ArrayLike,
    references: ArrayLike,
    mixture: ArrayLike,
    *,
    phrases: Sequence[str],
    sample_rate: int,
    scorer: Scorer | None = None,
) -> list[dict[str, Any]]:
    """Scores one test item: a row for every source.

    Args:
        estimates: (S, T), what the separator gave, in the order of `phrases`.
        references: (S, T), the true sources, in the same order.
        mixture: (T,), what the separator was given; taken as the estimate of every source it gives
            the `input_*` columns, and the `*_imp` columns say by how much the estimate is better.
        phrases: the query of every source.
        sample_rate: of all signals, in Hz.
        scorer: gives `clap_score`, the cosine between a sound's embedding and its phrase's;
            without one these columns are absent.

    Returns:
        S rows of `source`, `n_sources`, `phrase`, `silent_reference`, `silent_estimate` and, for
        every metric m, `m`, `input_m` and `m_imp`; `octave_<Hz>`, of `octave_deviation`. The
        caller adds `item` and `label`.

    Examples:
        >>> ref = np.random.default_rng(0).standard_normal((2, 8000))
        >>> rows = evaluate_item(ref, ref, ref.sum(0), phrases=["a", "b"], sample_rate=8000)
        >>> [(row["phrase"], round(row["sdr"]), row["sdr_imp"] > 75) for row in rows]
        [('a', 80, True), ('b', 80, True)]
    """
    signals = ItemSignals.of(estimates, references, mixture, phrases)
    cosines = None if scorer is None else clap_scores(signals, scorer, sample_rate)
    return evaluate_items([(signals, cosines)], sample_rate)[0]


@dataclass(frozen=True)
class ItemSignals:
    """A test item: estimates (S, T) and after them the mixture, references (S, T), phrases."""

    signals: np.ndarray
    references: np.ndarray
    phrases: list[str]

    @classmethod
    def of(
        cls,
        estimates: ArrayLike,
        references: ArrayLike,
        mixture: ArrayLike,
        phrases: Sequence[str],
    ) -> ItemSignals:
        """Checks an item; see `evaluate_item`."""
        est, ref = checked_pair(estimates, references)
        mix, _ = checked_pair(as_array(mixture)[None], ref[:1])
        if len(est) != len(phrases):
            raise ValueError(
                f"Expected one phrase per source, received {len(phrases)} phrases for {len(est)} "
                "sources: give both in the same order."
            )
        return cls(np.concatenate([est, mix]), ref, list(phrases))


def evaluate_items(
    items: Sequence[tuple[ItemSignals, np.ndarray | None]], sample_rate: int
) -> list[list[dict[str, Any]]]:
    """Scores test items, with their `clap_scores` if there are any, as `evaluate_item`.

    Several take less time than one by one, and get the same numbers to the last bit.
    """
    pairs = [(item.signals, item.references) for item, _ in items]
    return [
        _rows(item, scores, cosines, sample_rate)
        for (item, cosines), scores in zip(items, pairwise_bss_evals(pairs), strict=True)
    ]


def _rows(
    item: ItemSignals, scores: dict[str, np.ndarray], cosines: np.ndarray | None, sample_rate: int
) -> list[dict[str, Any]]:
    """The rows of an item, of its scores (S, S + 1) of BSS-eval and of its cosines, likewise."""
    ref, est, mix = item.references, item.signals[:-1], item.signals[-1:]
    tiled = np.broadcast_to(mix, ref.shape)
    if cosines is not None:
        scores = scores | {"clap_score": np.where(is_silent(ref)[:, None], np.nan, cosines)}
    columns = {name: (np.diagonal(value), value[:, -1]) for name, value in scores.items()}
    columns["si_sdr"] = si_sdr(est, ref), si_sdr(tiled, ref)
    levels, ref_levels = (octave_levels(x, sample_rate) for x in (item.signals, ref))
    octaves = level_deviation(levels[:-1], ref_levels)
    of_mixture = level_deviation(levels[-1:], ref_levels)
    columns["colouration"] = mean_size(octaves), mean_size(of_mixture)
    silence = zip(is_silent(ref).tolist(), is_silent(est).tolist(), strict=True)
    rows = []
    for s, (silent_ref, silent_est) in enumerate(silence):
        row: dict[str, Any] = {"source": s, "n_sources": len(ref), "phrase": item.phrases[s]}
        row |= {"silent_reference": silent_ref, "silent_estimate": silent_est}
        for name in (metric for metric in METRICS if metric in columns):
            own, before = (float(values[s]) for values in columns[name])
            better = before - own if name == "colouration" else own - before
            row |= {name: own, f"input_{name}": before, f"{name}_imp": better}
        row |= {f"octave_{f}": float(values[s]) for f, values in octaves.items()}
        rows.append(row)
    return rows


def summarise(
    rows: Iterable[Mapping[str, Any]], skipped: Iterable[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Averages rows over test items; the result is what `final_metrics.json` holds.

    An item's value is the mean over its sources, the reported value the mean over items. Items,
    not sources, are independent draws, so that the 95 % interval is Student's over items.

    Args:
        rows: of `evaluate_item`, for all items, each with the name of its `item` and the `label`
            of its source.
        skipped: one mapping with `item` and `reason` for everything that could not be scored.

    Returns:
        The mean of every metric and its `input_` and `_imp` values by name (None where nothing
        could be scored), `interval_95` of each (None with fewer than two items), `n_items`,
        `n_sources`, `n_silent_references`, `n_silent_estimates`, `n_skipped`, `skipped`,
        `skipped_reasons` (counts) and the means `per_label` over sources.

    Examples:
        >>> rows = [{"item": i, "label": "violin", "sdr": v} for i, v in enumerate([4.0, 6.0])]
        >>> summary = summarise(rows)
        >>> summary["sdr"], [round(x, 2) for x in summary["interval_95"]["sdr"]]
        (5.0, [-7.71, 17.71])
    """
    table, skipped = pd.DataFrame([dict(row) for row in rows]), [dict(s) for s in skipped]
    columns = [name for name in COLUMNS if name in table]
    means, intervals, per_label, n_items = {}, {}, {}, 0
    if len(table):
        per_item = mean_by_item(table)
        n_items = len(per_item)
        for name in columns:
            means[name], intervals[name] = _mean_and_interval(per_item[name].dropna().to_numpy())
        per_label = {
            str(label): {"n_sources": len(group)} | _finite_or_none(group[columns].mean())
            for label, group in table.groupby("label")
        }
    return means | {
        "interval_95": intervals,
        "n_items": n_items,
        "n_sources": len(table),
        "n_silent_references": _count(table, "silent_reference"),
        "n_silent_estimates": _count(table, "silent_estimate"),
        "n_skipped": len(skipped),
        "skipped_reasons": dict(Counter(s["reason"] for s in skipped)),
        "skipped": skipped,
        "per_label": per_label,
    }


def mean_by_item(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Averages rows over the sources of each item: a table of a row per item, in their order.

    Args:
        rows: of `evaluate_item`, each with the name of its `item`.

    Examples:
        >>> rows = [{"item": 7, "sdr": 4.0}, {"item": 7, "sdr": 6.0}]
        >>> mean_by_item(rows)["sdr"].to_dict()
        {7: 5.0}
    """
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    columns = [name for name in COLUMNS if name in table]
    return table.groupby("item", sort=False)[columns].mean()


def write_rows(rows: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Writes rows as CSV, whole or not at all.

    Args:
        rows: of `evaluate_item`.
        path: of the file.
    """
    with atomic_write(path) as temporary:
        pd.DataFrame([dict(row) for row in rows]).to_csv(temporary, index=False)


def write_json(value: Mapping[str, Any], path: str | Path) -> None:
    """Writes JSON, whole or not at all; NaN, which JSON lacks, is an error.

    Args:
        value: what to write.
        path: of the file.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_bytes(f"{text}\n".encode("utf-8", "backslashreplace"))  # of any path


@torch.no_grad()
def clap_scores(item: ItemSignals, scorer: Scorer, sample_rate: int) -> np.ndarray:
    """Cosines (S, S + 1) between the phrases and the signals of an item."""
    text = scorer.embed_text(item.phrases)  # (S, E)
    audio = scorer.embed_audio(torch.from_numpy(item.signals).to(text), sample_rate)  # (S + 1, E)
    cosines = torch.cosine_similarity(text[:, None], audio[None], dim=-1)
    return cosines.cpu().double().numpy()


def _mean_and_interval(values: np.ndarray) -> tuple[float | None, list[float] | None]:
    if not len(values):
        return None, None
    mean = float(values.mean())
    if len(values) < 2:
        return mean, None
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return mean, [mean - float(half), mean + float(half)]


def _finite_or_none(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(v) if math.isfinite(v) else None for name, v in values.items()}


def _count(table: pd.DataFrame, column: str) -> int:
    return int(table[column].sum()) if column in table else 0
