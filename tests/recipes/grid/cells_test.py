"""Folders of experiments become cells, and the seeds of a cell a group."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from grid.cells import SYSTEMS, Cell, Group, group_cells, read_cells
from scipy.stats import t as student_t


def test_what_a_cell_knows(tmp_path, make_cell):
    exp = make_cell(tmp_path, "bimodal_clap", 2, 5.0, seed=3, own="lr=1e-3,loss.crl=0")
    shutil.copytree(exp / "logs/version_0", exp / "logs/version_1")
    (cell,), problems = read_cells(tmp_path, "mini")
    assert problems == []
    assert (cell.folder, cell.system, cell.n_src, cell.seed) == (exp.name, "bimodal_clap", 2, 3)
    assert cell.options == ("lr=1e-3", "loss.crl=0")
    assert cell.summary["sdr"] == 5.0 and cell.run["commit"] == "abc1234"
    assert [series.name for series in cell.quality] == ["SDR", "SIR", "SAR"]
    assert cell.parts == 2


@pytest.mark.parametrize(
    ("n_src", "data", "single", "mixed"),
    [
        (1, {}, 1.0, 0.0),
        (1, {"share": 0.05}, 0.05, 0.0),
        (2, {}, 0.0, 1.0),
        (2, {"clean": {"share": 0.0, "root": None}}, 0.0, 1.0),
        (2, {"clean": {"share": 0.05, "root": None}}, 0.05, 0.95),
        (2, {"share": 0.5, "clean": {"share": 0.1, "root": None}}, 0.1, 0.4),
        (3, {"share": 0.5, "clean": {"share": 1.0, "root": "../other/data"}}, 1.0, 0.5),
    ],
)
def test_shares_of_the_data(tmp_path, make_cell, n_src, data, single, mixed):
    make_cell(tmp_path, "bimodal_semi", n_src, 5.0, **data)
    (cell,), _ = read_cells(tmp_path, "mini")
    assert (cell.single_share, cell.mixture_share) == (single, pytest.approx(mixed))
    assert cell.semi_supervised == (single > 0 and mixed > 0)
    assert cell.single_root == (data.get("clean") or {}).get("root")


def test_other_folders_are_no_cells(tmp_path, make_cell):
    make_cell(tmp_path, "clapsep", 2, 3.0, seed=1)
    others = (
        "full_clapsep_2src_seed1",  # another data set
        "mini_x_clapsep_2src_seed1",
        "mini_clapsep_2src_seed10",  # not what its configuration says
        "mini_clapsep_2src",  # of run.sh
    )
    for name in others:
        shutil.copytree(tmp_path / "mini_clapsep_2src_seed1", tmp_path / name)
    (tmp_path / "mini_clapsep_3src_seed1").mkdir()  # not finished
    cells, problems = read_cells(tmp_path, "mini")
    assert [cell.folder for cell in cells] == ["mini_clapsep_2src_seed1"] and problems == []


def test_results_on_other_mixtures_are_files_of_their_own(tmp_path, make_cell):
    exp = make_cell(tmp_path, "clapsep", 2, 3.0)
    assert read_cells(tmp_path, "mini", test_n_src=3) == ([], [])
    text = (exp / "final_metrics.json").read_text().replace("3.0", "1.0")
    (exp / "final_metrics_3src.json").write_text(text)
    (cell,), _ = read_cells(tmp_path, "mini", test_n_src=3)
    assert cell.summary["sdr"] == 1.0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("final_metrics.json", "{"),
        ("final_metrics.json", "[1]"),
        ("run.json", ""),
        ("run.json", "[1]"),
        ("conf.yml", "a: [1"),
        ("conf.yml", "system: clapsep"),
        ("conf.yml", "1"),
    ],
)
def test_a_broken_file_is_named_and_the_rest_is_read(tmp_path, make_cell, name, content):
    make_cell(tmp_path, "clapsep", 2, 3.0)
    (make_cell(tmp_path, "bimodal_clap", 2, 5.0) / name).write_text(content)
    cells, (problem,) = read_cells(tmp_path, "mini")
    assert [cell.system for cell in cells] == ["clapsep"]
    assert problem.startswith("mini_bimodal_clap_2src_seed0: ")


@pytest.mark.parametrize("name", ["all_metrics.csv", "real_pairs.csv"])
@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "item,level,sdr_imp,si_sdr_imp\n0,0,x,1"])
def test_a_broken_table_is_named(tmp_path, make_cell, name, content):
    (make_cell(tmp_path, "clapsep", 2, 3.0) / name).write_text(content)
    cells, (problem,) = read_cells(tmp_path, "mini")
    assert not cells and problem.startswith(f"mini_clapsep_2src_seed0: ValueError, {name}, ")


@pytest.mark.parametrize("rows", ["", "10.0,9.0,9.0", "0.0,,"], ids=["none", "level", "silent"])
def test_recordings_without_a_score(tmp_path, make_cell, rows):
    table = make_cell(tmp_path, "clapsep", 2, 3.0) / "real_pairs.csv"
    table.write_text("level,sdr_imp,si_sdr_imp\n" + rows)
    (cell,), _ = read_cells(tmp_path, "mini")
    assert cell.recordings == {} and Group([cell]).on_recordings is None


def test_groups_are_in_the_order_of_the_paper(tmp_path, make_cell):
    for system, n_src in (("bimodal_clap", 3), ("own", 2), ("clapsep", 2), ("pit", 1)):
        make_cell(tmp_path, system, n_src, 3.0)
    make_cell(tmp_path, "bimodal_clap", 2, 3.0, seed=1, own="lr=1e-3")
    make_cell(tmp_path, "bimodal_clap", 2, 3.0, seed=1)
    make_cell(tmp_path, "bimodal_clap", 2, 3.0, seed=0)
    groups = group_cells(read_cells(tmp_path, "mini")[0])
    assert [(g.name, g.first.n_src, [c.seed for c in g.cells]) for g in groups] == [
        ("PIT*", 1, [0]),
        ("CLAPSep*", 2, [0]),
        ("Proposed, CLAP", 2, [0, 1]),
        ("Proposed, CLAP", 3, [0]),
        ("Proposed, CLAP (lr=1e-3)", 2, [1]),
        ("own", 2, [0]),
    ]


def test_one_seed_has_the_interval_over_items(tmp_path, make_cell):
    make_cell(tmp_path, "clapsep", 2, 3.0, half=0.25)
    (group,) = group_cells(read_cells(tmp_path, "mini")[0])
    assert (group.score("sdr").mean, group.score("sdr").half) == (3.0, pytest.approx(0.25))
    assert group.score("si_sdr") is None


def test_several_seeds_have_the_interval_over_seeds(tmp_path, make_cell):
    values = [3.0, 4.0, 8.0]
    for seed, value in enumerate(values):
        make_cell(tmp_path, "clapsep", 2, value, seed=seed)
    (group,) = group_cells(read_cells(tmp_path, "mini")[0])
    deviation = math.sqrt((4 + 1 + 9) / 2)
    half = student_t.ppf(0.975, 2) * deviation / math.sqrt(3)
    for metric, mean in (("sdr", 5.0), ("sdr_imp", 4.75), ("sir", 7.0)):
        assert group.score(metric).mean == pytest.approx(mean)
        assert group.score(metric).half == pytest.approx(half)


def test_what_could_not_be_scored():
    nothing = {"sdr": None, "interval_95": {"sdr": None}}
    one_item = {"sdr": 2.0, "interval_95": {"sdr": None}}
    assert Group([Cell("a", "clapsep", 2, 0, summary=nothing)]).score("sdr") is None
    score = Group([Cell("a", "clapsep", 2, 0, summary=one_item)]).score("sdr")
    assert (score.mean, score.half) == (2.0, None)
    both = Group([Cell("a", "clapsep", 2, seed, summary=nothing) for seed in (0, 1)])
    assert both.score("sdr") is None


def test_every_system_has_a_printed_name():
    files = (Path(__file__).parents[3] / "conf/systems").glob("*.yml")
    assert set(SYSTEMS) == {path.stem for path in files}
    assert len(set(SYSTEMS.values())) == len(SYSTEMS)
