"""The results of a grid of experiments: Markdown, JSON and two pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asteroid_bimodal.metrics import write_json
from asteroid_bimodal.report.page import format_number
from asteroid_bimodal.utils.files import atomic_write

from .cells import SYSTEMS, Cell, Group, group_cells, read_cells
from .charts import examples_chart, sources_chart, training_chart
from .claims import find_agreements, find_claims
from .examples import BASELINE, PROPOSED, SIGNALS, read_items, read_phrases, write_items
from .records import plain, read_records, write_records
from .tables import (
    METRICS,
    agreement_table,
    claims_table,
    first_table,
    metrics_table,
    provenance_table,
    recordings_table,
    second_table,
    table,
)

_OF_RUN = ("command", "commit", "device", "num_devices", "minutes", "steps", "epochs")
_OF_RUN += ("parameters", "best_val_sdr", "versions")


def write_grid(
    exp_dir: str | Path,
    results_dir: str | Path,
    *,
    data: str = "mini",
    name: str = "music",
    test_n_src: int = 2,
) -> Path:
    """Writes `<name>_<data>.md` and `.json`, and the pictures and sounds that the former shows.

    Every finished experiment is recorded in `<name>_<data>_cells`. The page is of these records, so
    that what ran elsewhere, or has been tidied away since, stays on it.

    Args:
        exp_dir: the grid's folder of experiments, `<data>_<system>_<K>src_seed<N>[_<options>]`.
        results_dir: folder to write to.
        data: the data set.
        name: of the recipe.
        test_n_src: sources in each test mixture; file names tell it where it is not 2.

    Returns:
        The path of the Markdown file.

    Raises:
        FileNotFoundError: when there is neither a finished experiment nor a record of one.
    """
    exp_dir, results_dir = Path(exp_dir), Path(results_dir)
    stem = f"{name}_{data}" + ("" if test_n_src == 2 else f"_{test_n_src}src")
    finished, problems = read_cells(exp_dir, data, test_n_src)
    write_records(finished, results_dir / f"{stem}_cells")
    cells, unread = read_records(results_dir / f"{stem}_cells")
    problems += unread
    if not cells:
        unreadable = "".join(f" Cannot be read: {problem}." for problem in problems)
        raise FileNotFoundError(
            f"Expected finished experiments {data}_<system>_<K>src_seed<N> in {exp_dir}, found "
            f"none: run grid.sh first.{unreadable}"
        )
    groups = group_cells(cells)
    path = results_dir / f"{stem}.md"
    _write(results_dir / f"{stem}_sources.svg", sources_chart(groups))
    _write(results_dir / f"{stem}_training.svg", training_chart(groups))
    write_json(plain(_as_json(groups, problems, data, test_n_src)), path.with_suffix(".json"))
    # Examples are kept of the evaluation on two sources alone.
    if items := read_items(exp_dir, groups) if test_n_src == 2 else []:
        _write(results_dir / f"{stem}_examples.svg", examples_chart(items))
        write_items(items, results_dir / f"{stem}_examples")
    phrases = read_phrases(results_dir / f"{stem}_examples")
    title = f"{name.upper()}, {data} data"
    _write(path, _as_markdown(groups, phrases, problems, title, stem))
    return path


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _as_markdown(
    groups: Sequence[Group],
    phrases: Mapping[str, str],
    problems: Sequence[str],
    title: str,
    stem: str,
) -> str:
    parts = [f"# Results: {title}", _introduction(groups)]
    for heading, content in (
        ("Table 1: SDR by sources per training mixture", first_table(groups)),
        ("The paper's order", _agreement(groups)),
        ("SDR over sources per training mixture", f"![Chart]({stem}_sources.svg)"),
        ("Table 2: semi-supervised training", second_table(groups)),
        ("Ratios", _ratios(groups)),
        ("All metrics", metrics_table(groups)),
        ("Pairs of real recordings", _recordings(groups)),
        ("Validation over training", f"![Curves]({stem}_training.svg)"),
        ("The same items", _examples(phrases, stem)),
        ("Provenance", provenance_table(groups)),
        ("Experiments that cannot be read", "\n".join(f"- {text}" for text in problems)),
    ):
        if content:
            parts += [f"## {heading}", content]
    return "\n\n".join(parts) + "\n"


def _introduction(groups: Sequence[Group]) -> str:
    summaries = [cell.summary for group in groups for cell in group.cells]
    lists = sorted({f"`{summary.get('test_list')}`" for summary in summaries})
    items = sorted({str(summary.get("n_items", 0)) for summary in summaries})
    before = sorted({format_number(summary.get("input_sdr")) for summary in summaries})
    text = (
        "Means in dB ± half of their 95 % intervals: over test mixtures where a cell has one seed, "
        "over the means of its seeds where it has several; in brackets in Table 1 the paper's "
        "figure, of the full set. – marks what was not run.\n"
        f"Measured on {', '.join(lists)}, {' or '.join(items)} mixtures, whose own SDR is "
        f"{' or '.join(before)} dB. Written by `grid.sh`."
    )
    if len(lists) > 1:
        text += "\n\n**The cells were measured on different lists: they do not compare.**"
    return text


def _agreement(groups: Sequence[Group]) -> str:
    agreements = find_agreements(groups)
    text = (
        "Spearman's correlation of the columns above with those of the paper, and of the systems' "
        "SI-SDR improvements with the same; in brackets 95 % intervals as below. With queries: "
        "without PIT, MixIT and MixPIT, of whose outputs those count that fit the references."
    )
    return f"{text}\n\n{agreement_table(agreements)}" if agreements else ""


def _ratios(groups: Sequence[Group]) -> str:
    claims = find_claims(groups)
    text = (
        "Means over each other; in brackets 95 % intervals of 10 000 bootstrap draws of test "
        "mixtures and, where a cell has several, of seeds, up to – where the divisor may be "
        "nothing; none where a cell's scores by mixture are not known."
    )
    return f"{text}\n\n{claims_table(claims)}" if claims else ""


def _recordings(groups: Sequence[Group]) -> str:
    found = recordings_table(groups)
    text = (
        "Means over recordings mixed two by two, at equal loudness, by `benchmarks/real_pairs.py`."
    )
    return f"{text}\n\n{found}" if found else ""


def _examples(phrases: Mapping[str, str], stem: str) -> str:
    if not phrases:
        return ""
    rows = [
        [phrase, *(f"[{name}]({stem}_examples/{item}_{name}.flac)" for name in SIGNALS)]
        for item, phrase in phrases.items()
    ]
    listen = table(["Query", *[""] * len(SIGNALS)], rows)
    text = (
        f"The first query of each item, by `{BASELINE}:2`, mix-and-separate, and "
        f"`{PROPOSED}:2`, the proposed framework, with the first seed of each."
    )
    return f"{text}\n\n![Spectrograms]({stem}_examples.svg)\n\n{listen}"


def _as_json(
    groups: Sequence[Group], problems: Sequence[str], data: str, test_n_src: int
) -> dict[str, Any]:
    return {
        "data": data,
        "test_n_src": test_n_src,
        "groups": [_group_facts(group) for group in groups],
        "claims": [asdict(claim) for claim in find_claims(groups)],
        "agreements": [asdict(agreement) for agreement in find_agreements(groups)],
        "unreadable": list(problems),
    }


def _group_facts(group: Group) -> dict[str, Any]:
    cell = group.first
    return {
        "system": cell.system,
        "name": SYSTEMS.get(cell.system, cell.system),
        "n_src": cell.n_src,
        "options": list(cell.options),
        "single_share": cell.single_share,
        "single_root": cell.single_root,
        "mixture_share": cell.mixture_share,
        "seeds": [cell.seed for cell in group.cells],
        **_scores(group.summary),
        "cells": [_cell_facts(cell) for cell in group.cells],
    }


def _cell_facts(cell: Cell) -> dict[str, Any]:
    counts = ("n_items", "n_silent_references", "n_silent_estimates", "n_skipped", "test_list")
    return {
        "folder": cell.folder,
        "seed": cell.seed,
        **_scores(cell.summary),
        "recordings": dict(cell.recordings),
        **{name: cell.summary.get(name) for name in counts},
        **{name: cell.run.get(name) for name in _OF_RUN},
        "training_parts": cell.parts,
    }


def _scores(summary: Mapping[str, Any]) -> dict[str, Any]:
    names = ("input_sdr", *METRICS, "si_sdr", "clap_score")
    intervals = {name: summary["interval_95"].get(name) for name in names}
    return {name: summary.get(name) for name in names} | {"interval_95": intervals}
