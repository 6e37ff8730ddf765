"""Rows of one item, means over items, intervals and files."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from asteroid_bimodal.metrics import (
    LIMIT_DB,
    SILENT_ESTIMATE_DB,
    bss_eval,
    evaluate_item,
    si_sdr,
    summarise,
    write_json,
    write_rows,
)

RATE = 8000


class AxisScorer:
    """Embeds text "0", "1", … as unit axes and a constant sound of value v as axis v."""

    def embed_text(self, texts):
        return torch.eye(3)[[int(text) for text in texts]]

    def embed_audio(self, wav, sample_rate):
        assert sample_rate == RATE and not torch.is_grad_enabled()
        return 2 * torch.eye(3)[wav.mean(-1).round().long()]


@pytest.fixture
def signals():
    rng = np.random.default_rng(0)
    ref = rng.standard_normal((2, 4000))
    return ref + 0.2 * ref[::-1] + 0.1 * rng.standard_normal(ref.shape), ref, ref.sum(0)


def test_rows_hold_metrics_and_improvements(signals):
    est, ref, mix = signals
    rows = evaluate_item(*signals, phrases=["The sound of a", "b"], sample_rate=RATE)
    direct = bss_eval(est, ref) | {"si_sdr": si_sdr(est, ref)}
    tiled = np.tile(mix, (2, 1))
    of_mixture = bss_eval(tiled, ref) | {"si_sdr": si_sdr(tiled, ref)}
    assert [(row["source"], row["n_sources"]) for row in rows] == [(0, 2), (1, 2)]
    assert [row["phrase"] for row in rows] == ["The sound of a", "b"]
    for s, row in enumerate(rows):
        for name in ("sdr", "sir", "sar", "si_sdr"):
            assert row[name] == pytest.approx(direct[name][s], abs=1e-6)
            assert row[f"input_{name}"] == pytest.approx(of_mixture[name][s], abs=1e-6)
            assert row[f"{name}_imp"] == pytest.approx(row[name] - row[f"input_{name}"])
        assert not any("clap" in name for name in row)


def test_mixture_as_estimate_improves_nothing(signals):
    _, ref, mix = signals
    rows = evaluate_item([mix, mix], ref, mix, phrases=["a", "b"], sample_rate=RATE)
    for row in rows:
        assert [row[f"{n}_imp"] for n in ("sdr", "sir", "sar", "si_sdr")] == [0.0] * 4


def test_clap_score_is_the_cosine_with_the_own_phrase():
    wave = 0.2 * np.sin(np.arange(2000))
    est = np.stack([wave * 0 + 1, wave + 2])
    rows = evaluate_item(
        est, est, np.ones(2000), phrases=["1", "0"], sample_rate=RATE, scorer=AxisScorer()
    )
    assert [row["clap_score"] for row in rows] == pytest.approx([1.0, 0.0])
    assert [row["input_clap_score"] for row in rows] == pytest.approx([1.0, 0.0])


def test_silence_is_marked(signals):
    est, ref, mix = (x.copy() for x in signals)
    ref[0], est[1] = 0, 0
    first, second = evaluate_item(est, ref, mix, phrases=["0", "1"], sample_rate=RATE)
    assert (first["silent_reference"], first["silent_estimate"]) == (True, False)
    assert (second["silent_reference"], second["silent_estimate"]) == (False, True)
    assert math.isnan(first["sdr"]) and math.isnan(first["sdr_imp"])
    assert second["sdr"] == SILENT_ESTIMATE_DB
    summary = summarise({"item": "x", "label": "a", **row} for row in (first, second))
    assert (summary["n_silent_references"], summary["n_silent_estimates"]) == (1, 1)
    assert summary["sdr"] == SILENT_ESTIMATE_DB


def test_phrases_must_match_sources(signals):
    with pytest.raises(ValueError, match="received 1 phrases for 2"):
        evaluate_item(*signals, phrases=["a"], sample_rate=RATE)


def row(item, label, sdr, silent=False):
    return {
        "item": item, "label": label, "sdr": sdr, "input_sdr": 0.0, "sdr_imp": sdr,
        "silent_reference": silent, "silent_estimate": False,
    }  # fmt: skip


def test_mean_over_items_with_student_interval():
    rows = [row("x", "violin", 1.0), row("x", "tuba", 3.0), row("y", "violin", 8.0)]
    rows += [row("y", "tuba", math.nan, silent=True), row("z", "flute", 5.0)]
    summary = summarise(rows, [{"item": "q", "reason": "empty file"}] * 2)
    # Items are worth 2, 8 and 5: mean 5, deviation 3, t(0.975, 2) = 4.3027.
    assert summary["sdr"] == pytest.approx(5.0)
    half = 4.302652729911275 * 3 / math.sqrt(3)
    assert summary["interval_95"]["sdr"] == pytest.approx([5 - half, 5 + half])
    assert (summary["n_items"], summary["n_sources"], summary["n_silent_references"]) == (3, 5, 1)
    assert summary["n_skipped"] == 2 and summary["skipped_reasons"] == {"empty file": 2}
    assert summary["per_label"]["violin"] == {
        "n_sources": 2, "sdr": 4.5, "input_sdr": 0.0, "sdr_imp": 4.5,
    }  # fmt: skip
    assert "clap_score" not in summary


def test_too_few_items_have_no_interval():
    assert summarise([row("x", "a", 1.0)])["interval_95"]["sdr"] is None
    nothing = summarise([row("x", "a", math.nan, silent=True)])
    assert nothing["sdr"] is None and nothing["per_label"]["a"]["sdr"] is None
    assert summarise([])["n_items"] == 0


def test_files_round_trip(tmp_path, signals):
    rows = evaluate_item(*signals, phrases=['a, "b"', "é"], sample_rate=RATE)
    rows = [{"item": "007", "label": row["phrase"], **row} for row in rows]
    write_rows(rows, tmp_path / "metrics.csv")
    table = pd.read_csv(tmp_path / "metrics.csv", dtype={"item": str})
    assert table["phrase"].tolist() == ['a, "b"', "é"] and table["item"][0] == "007"
    np.testing.assert_allclose(table["sdr"], [r["sdr"] for r in rows])
    summary = summarise(rows)
    write_json(summary, tmp_path / "final_metrics.json")
    assert json.loads((tmp_path / "final_metrics.json").read_text(encoding="utf-8")) == summary


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "final_metrics.json"
    write_json({"sdr": LIMIT_DB}, path)
    with pytest.raises(ValueError):
        write_json({"sdr": math.nan}, path)
    assert json.loads(path.read_text()) == {"sdr": LIMIT_DB}
    assert list(tmp_path.iterdir()) == [path]
