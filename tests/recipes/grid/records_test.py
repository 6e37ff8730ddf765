"""What a grid has found stays, though its experiments do not."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from grid import write_grid
from grid.cells import Cell, read_cells
from grid.records import read_records, write_records

from asteroid_bimodal.report.figures import Series

FOLDER = "mini_clapsep_2src_seed0"


def test_a_cell_comes_back(tmp_path, make_cell):
    exp = make_cell(tmp_path, "clapsep", 2, 3.125, own="lr=1e-3,loss.crl=0")
    (exp / "all_metrics.csv").write_text("item,sdr\n0,3.00004\n7,\n12,3.25\n")
    (exp / "real_pairs.csv").write_text("level,sdr_imp,si_sdr_imp\n0,1.5,0.1\n")
    cells, _ = read_cells(tmp_path, "mini")
    write_records(cells, tmp_path / "cells")
    ((again,), problems) = read_records(tmp_path / "cells")
    assert problems == [] and [path.name for path in (tmp_path / "cells").iterdir()] == [
        "mini_clapsep_2src_seed0_lr=1e-3,loss.crl=0.json"
    ]
    assert again.items == {"sdr": {0: 3.0, 12: 3.25}}
    for one, other in zip(cells[0].quality, again.quality, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal([one.x, one.y], [other.x, other.y])
    parts = {"items": {}, "quality": ()}
    assert replace(again, **parts) == replace(cells[0], **parts)


def test_what_is_no_number_comes_back_as_none(tmp_path):
    curve = Series("SDR", np.array([99, 199]), np.array([1.0, math.nan]))
    summary = {"sdr": math.nan, "interval_95": {"sdr": [1.0, math.inf]}}
    cell = Cell("a", "clapsep", 2, 0, summary=summary, quality=[curve])
    write_records([cell], tmp_path)
    ((again,), _) = read_records(tmp_path)
    assert again.summary == {"sdr": None, "interval_95": {"sdr": [1.0, None]}}
    np.testing.assert_array_equal(again.quality[0].y, curve.y)


def test_a_page_is_the_same_without_its_experiments(tmp_path, make_cell):
    for system in ("clapsep", "bimodal_clap"):
        exp = make_cell(tmp_path / "exp", system, 2, 3.0)
        rows = "".join(f"{item},{item % 4 + 1}.00001\n" for item in range(20))
        (exp / "all_metrics.csv").write_text("item,sdr\n" + rows)
    path = write_grid(tmp_path / "exp", tmp_path / "results")
    before = {file: file.read_bytes() for file in path.parent.rglob("*.*") if file.is_file()}
    assert b" to " in before[path]  # an interval over items
    shutil.rmtree(tmp_path / "exp")
    write_grid(tmp_path / "exp", tmp_path / "results")
    assert {file: file.read_bytes() for file in before} == before


def test_cells_of_two_machines_stand_on_one_page(tmp_path, make_cell):
    make_cell(tmp_path / "one", "clapsep", 2, 3.0)
    make_cell(tmp_path / "other", "bimodal_clap", 2, 6.0)
    write_grid(tmp_path / "one", tmp_path / "results")
    path = write_grid(tmp_path / "other", tmp_path / "results")
    groups = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["groups"]
    assert [(group["system"], group["sdr"]) for group in groups] == [
        ("clapsep", 3.0),
        ("bimodal_clap", 6.0),
    ]


def test_a_cell_that_ran_again_replaces_its_record(tmp_path, make_cell):
    make_cell(tmp_path / "one", "clapsep", 2, 3.0)
    make_cell(tmp_path / "again", "clapsep", 2, 4.0)
    for exp in ("one", "again"):
        path = write_grid(tmp_path / exp, tmp_path / "results")
    (group,) = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["groups"]
    assert group["sdr"] == 4.0 and group["seeds"] == [0]


def test_records_are_of_one_number_of_sources_in_the_test(tmp_path, make_cell):
    exp = make_cell(tmp_path / "exp", "clapsep", 2, 3.0)
    write_grid(tmp_path / "exp", tmp_path / "results")
    text = (exp / "final_metrics.json").read_text().replace("3.0", "1.0")
    (exp / "final_metrics_3src.json").write_text(text)
    write_grid(tmp_path / "exp", tmp_path / "results", test_n_src=3)
    for stem, sdr in (("music_mini", 3.0), ("music_mini_3src", 1.0)):
        ((cell,), _) = read_records(tmp_path / f"results/{stem}_cells")
        assert cell.summary["sdr"] == sdr


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{}", '{"items": 1}', '{"items": {}, "options": [], "quality": [1]}'],
)
def test_a_broken_record_is_named_and_the_rest_is_read(tmp_path, make_cell, content):
    for system in ("clapsep", "bimodal_clap"):
        make_cell(tmp_path / "exp", system, 2, 3.0)
    write_grid(tmp_path / "exp", tmp_path / "results")
    shutil.rmtree(tmp_path / "exp")
    (tmp_path / f"results/music_mini_cells/{FOLDER}.json").write_text(content)
    path = write_grid(tmp_path / "exp", tmp_path / "results")
    text = path.read_text(encoding="utf-8")
    assert f"cannot be read\n\n- {FOLDER}.json: " in text and "Proposed, CLAP" in text


def test_an_experiment_that_cannot_be_read_leaves_its_record(tmp_path, make_cell):
    exp = make_cell(tmp_path / "exp", "clapsep", 2, 3.0)
    write_grid(tmp_path / "exp", tmp_path / "results")
    (exp / "run.json").write_text("{")
    text = write_grid(tmp_path / "exp", tmp_path / "results").read_text(encoding="utf-8")
    assert f"- {FOLDER}: " in text and "3.00 ± 0.50" in text
