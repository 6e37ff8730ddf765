"""From estimates to rows, and from rows to the figures of `final_metrics.json`."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from scipy.stats import t as student_t

from ..utils.files import atomic_write
from .spectrum import OCTAVES, mean_size, octave_deviation
from .waveform import as_array, checked_pair, is_silent, pairwise_bss_eval, si_sdr

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
    est, ref = checked_pair(estimates, references)
    mix, _ = checked_pair(as_array(mixture)[None], ref[:1])
    if len(est) != len(phrases):
        raise ValueError(
            f"Expected one phrase per source, received {len(phrases)} phrases for {len(est)} "
            "sources: give both in the same order."
        )
    signals = np.concatenate([est, mix])  # (S + 1, T)
    scores = pairwise_bss_eval(signals, ref)  # (S, S + 1) each; one linear system for both
    tiled = [np.broadcast_to(x, ref.shape) for x in signals]
    scores["si_sdr"] = np.stack([si_sdr(x, ref) for x in tiled], -1)
    octaves = [octave_deviation(x, ref, sample_rate) for x in tiled]
    scores["colouration"] = np.stack([mean_size(deviation) for deviation in octaves], -1)
    if scorer is not None:
        scores["clap_score"] = _clap_scores(signals, list(phrases), scorer, sample_rate)
        scores["clap_score"][is_silent(ref)] = np.nan
    silence = np.stack([is_silent(ref), is_silent(est)], -1).tolist()
    rows = []
    for s, phrase in enumerate(phrases):
        row: dict[str, Any] = {"source": s, "n_sources": len(ref), "phrase": phrase}
        row["silent_reference"], row["silent_estimate"] = silence[s]
        for name, value in scores.items():
            own, of_mixture = float(value[s, s]), float(value[s, -1])
            better = of_mixture - own if name == "colouration" else own - of_mixture
            row |= {name: own, f"input_{name}": of_mixture, f"{name}_imp": better}
        row |= {f"octave_{f}": float(values[s]) for f, values in octaves[s].items()}
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
        per_item = table.groupby("item", sort=False)[columns].mean()
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
def _clap_scores(
    signals: np.ndarray, phrases: list[str], scorer: Scorer, sample_rate: int
) -> np.ndarray:
    text = scorer.embed_text(phrases)  # (S, E)
    audio = scorer.embed_audio(torch.from_numpy(signals).to(text), sample_rate)  # (S + 1, E)
    cosines = torch.cosine_similarity(text[:, None], audio[None], dim=-1)
    return cosines.cpu().double().numpy()  # (S, S + 1)


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
