"""Known figures give known tables."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from grid import write_grid
from grid.cells import Cell, Group
from grid.charts import sources_chart, training_chart
from grid.tables import second_table, table


def rows_of(text, heading):
    """The lines of the table under a heading."""
    lines = text.split(f"## {heading}")[1].split("\n## ")[0].split("\n")
    return [line for line in lines if line.startswith("|")]


@pytest.fixture(scope="module")
def experiments(tmp_path_factory, make_cell):
    """The main comparison, with a second setting of its own and a second seed: only read it."""
    exp = tmp_path_factory.mktemp("grid") / "exp"
    for system, n_src, sdr in (
        ("clapsep", 1, 8.0),
        ("clapsep", 2, 4.0),
        ("clapsep", 3, -1.0),
        ("bimodal_clap", 3, 7.0),
    ):
        make_cell(exp, system, n_src, sdr)
    for seed, sdr in enumerate((7.0, 8.0)):
        make_cell(exp, "bimodal_clap", 2, sdr, seed=seed)
    for share, sdr, own in ((0.05, 8.8, ""), (0.25, 9.2, "data.clean.share=0.25")):
        make_cell(exp, "bimodal_semi", 2, sdr, own=own, clean={"share": share, "root": None})
    return exp


@pytest.fixture
def grid(experiments, tmp_path):
    """A copy that the test may change."""
    return Path(shutil.copytree(experiments, tmp_path / "exp"))


@pytest.fixture(scope="module")
def written(experiments):
    path = write_grid(experiments, experiments.parent / "results")
    return path, path.read_text(encoding="utf-8")


def test_files(written):
    path, text = written
    assert path.name == "music_mini.md" and text.startswith("# Results: MUSIC, mini data\n")
    names = [
        "music_mini.json",
        "music_mini.md",
        "music_mini_cells",
        "music_mini_sources.svg",
        "music_mini_training.svg",
    ]
    assert sorted(file.name for file in path.parent.iterdir()) == names
    shown = re.findall(r"!\[\w+\]\((.*)\)", text)
    assert shown == ["music_mini_sources.svg", "music_mini_training.svg"]
    assert "`test_2src_seed0_0123456789ab.csv`, 100 mixtures, whose own SDR is 0.25 dB" in text
    assert "do not compare" not in text


def test_first_table(written):
    assert rows_of(written[1], "Table 1") == [
        "| System | 1 (supervised) | 2 | 3 | 4 |",
        "|-|-|-|-|-|",
        r"| CLAPSep\* | 8.00 ± 0.50 (8.1) | 4.00 ± 0.50 (5.5) | −1.00 ± 0.50 (4.3) | – (3.5) |",
        # Two seeds, 7 and 8: Student's t of one degree of freedom, 12.706, times 0.5.
        "| Proposed, CLAP | – | 7.50 ± 6.35 (7.9) | 7.00 ± 0.50 (7.1) | – (6.2) |",
    ]


def test_second_table(written):
    assert rows_of(written[1], "Table 2")[2:] == [
        r"| CLAPSep\* | 100 % | – | – | 8.00 ± 0.50 | 10.00 ± 0.50 | 12.00 ± 0.50 |",
        "| Proposed, CLAP | – | 100 % | 2 | 7.50 ± 6.35 | 9.50 ± 6.35 | 12.00 ± 0.00 |",
        "| Proposed, CLAP | – | 100 % | 3 | 7.00 ± 0.50 | 9.00 ± 0.50 | 12.00 ± 0.50 |",
        "| Proposed, semi-supervised | 5 % | 95 % | 2 | 8.80 ± 0.50 | 10.80 ± 0.50 "
        "| 12.00 ± 0.50 |",
        "| Proposed, semi-supervised | 25 % | 75 % | 2 | 9.20 ± 0.50 | 11.20 ± 0.50 "
        "| 12.00 ± 0.50 |",
    ]


def test_single_sources_of_another_set_and_options_beside_the_shares():
    summary = {"sdr": 9.9, "interval_95": {}}
    options = ("data.clean.share=1", "data.clean.root=.._a", "lr=1e-3")
    cell = Cell("a", "bimodal_semi", 2, 0, options, 1.0, 1.0, "../a", summary)
    last = second_table([Group([cell])]).split("\n")[-1]
    assert last == (
        "| Proposed, semi-supervised (lr=1e-3) | 100 % of ../a | 100 % | 2 | 9.90 | – | – |"
    )


def test_ratios_where_both_cells_exist(written):
    assert rows_of(written[1], "Ratios")[2:] == [
        r"| Proposed, CLAP, 2 sources | CLAPSep\*, 2 sources | 1.88 | 1.44 | – |",
        # None with 3 sources: the other one's SDR is negative.
        r"| Proposed, CLAP, 2 sources | CLAPSep\*, supervised | 0.94 | 0.98 | – |",
        r"| Proposed, CLAP, 3 sources | CLAPSep\*, supervised | 0.88 | 0.88 | – |",
        r"| Proposed, semi-supervised, 2 sources | CLAPSep\*, supervised | 1.10 | 1.09 | – |",
    ]


def test_all_metrics_and_seeds(written):
    rows = rows_of(written[1], "All metrics")
    names = ("SDR", "SDR improvement", "SIR", "SAR", "SI-SDR improvement", "Colouration")
    assert rows[0] == f"| System | Sources | Seeds | {' | '.join(names)} |"
    found = r"| CLAPSep\* | 1 | 0 | 8.00 ± 0.50 | 7.75 ± 0.50 | 10.00 ± 0.50 | 12.00 ± 0.50 |"
    assert f"{found} – | – |" in rows
    assert any(row.startswith("| Proposed, CLAP | 2 | 0, 1 | 7.50 ± 6.35") for row in rows)
    assert any("(data.clean.share=0.25) | 2 | 0 | 9.20 ± 0.50" in row for row in rows)


def test_pairs_of_real_recordings(grid, tmp_path):
    assert "recordings" not in write_grid(grid, tmp_path / "before").read_text(encoding="utf-8")
    columns = "path,level,sdr,sdr_imp,si_sdr_imp,kind,label\n"
    for folder, gains in (
        ("mini_clapsep_2src_seed0", (1.0, -2.0)),
        ("mini_bimodal_clap_2src_seed0", (3.0, 5.0)),
        ("mini_bimodal_clap_2src_seed1", (3.0, 6.0)),
    ):
        rows = [f"a.wav,0.0,5.0,{gain},{gain - 1},sounds,violin\n" for gain in gains]
        rows.append("a.wav,10.0,9.0,9.0,9.0,sounds,violin\n")  # another level
        (grid / folder / "real_pairs.csv").write_text(columns + "".join(rows))
    text = write_grid(grid, tmp_path / "results").read_text(encoding="utf-8")
    assert rows_of(text, "Pairs of real recordings")[2:] == [
        r"| CLAPSep\* | 2 | 0 | −0.50 | −1.50 | 50 % |",
        # Means 4 and 4.5: Student's t of one degree of freedom, 12.706, times 0.25.
        "| Proposed, CLAP | 2 | 0, 1 | 4.25 ± 3.18 | 3.25 ± 3.18 | 100 % |",
    ]


def test_what_is_no_number(tmp_path, make_cell):
    """A ratio that is open above."""
    for system, values in (("clapsep", (9, -3) * 4), ("bimodal_clap", (3,) * 8)):
        folder = make_cell(tmp_path, system, 2, 3.0)
        rows = "".join(f"{item},{value}\n" for item, value in enumerate(values))
        (folder / "all_metrics.csv").write_text("item,sdr\n" + rows)
    path = write_grid(tmp_path, tmp_path / "results")
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    (claim,) = facts["claims"]
    assert claim["sdr"]["interval"] == [pytest.approx(0.33, abs=0.1), None]
    assert " to –) |" in rows_of(path.read_text(encoding="utf-8"), "Ratios")[2]


def test_provenance(grid, tmp_path):
    run = grid / "mini_clapsep_2src_seed0" / "run.json"
    facts = json.loads(run.read_text())
    run.write_text(json.dumps(facts | {"commit": None, "num_devices": 4}))
    logs = grid / "mini_clapsep_2src_seed0" / "logs"
    (logs / "version_1").mkdir()
    (logs / "version_1/metrics.csv").write_text("step,val_sdr\n299,2.5\n")
    text = write_grid(grid, tmp_path / "results").read_text(encoding="utf-8")
    rows = rows_of(text, "Provenance")
    assert len(rows) == 2 + 8
    assert (
        "| `mini_clapsep_1src_seed0` | `train.py --exp_dir exp/grid/mini_clapsep_1src_seed0` "
        "| abc1234 | CPU, 2 cores | 14.5 | 900 | 7.00 | `test_2src_seed0_0123456789ab.csv` |"
    ) in rows
    (resumed,) = [row for row in rows if "`mini_clapsep_2src_seed0`" in row]
    assert "| – | CPU, 2 cores × 4 | 14.5 (last of 2 parts) |" in resumed


def test_json(written):
    facts = json.loads(written[0].with_suffix(".json").read_text(encoding="utf-8"))
    assert (facts["data"], facts["test_n_src"], facts["unreadable"]) == ("mini", 2, [])
    groups = {(g["system"], g["n_src"], *g["options"]): g for g in facts["groups"]}
    assert len(groups) == 7
    proposed = groups["bimodal_clap", 2]
    assert (proposed["sdr"], proposed["seeds"]) == (7.5, [0, 1])
    assert [cell["sdr"] for cell in proposed["cells"]] == [7.0, 8.0]
    assert proposed["interval_95"]["sdr"] == pytest.approx([1.147, 13.853], abs=1e-3)
    assert proposed["cells"][0]["commit"] == "abc1234"
    assert groups["bimodal_semi", 2, "data.clean.share=0.25"]["single_share"] == 0.25
    assert facts["claims"][0]["sdr"]["value"] == pytest.approx(7.5 / 4.0)


def test_different_lists_are_told(grid, tmp_path, make_cell):
    make_cell(grid, "clapsep", 4, 2.0, test_list="another.csv")
    text = write_grid(grid, tmp_path / "results").read_text(encoding="utf-8")
    assert "`another.csv`, `test_2src" in text and "they do not compare" in text


def test_a_small_grid_has_small_results(tmp_path, make_cell):
    make_cell(tmp_path / "exp", "own_system", 2, 2.0)
    text = write_grid(tmp_path / "exp", tmp_path / "results").read_text(encoding="utf-8")
    assert "Table 2" not in text and "Ratios" not in text
    assert "| own_system | – | 2.00 ± 0.50 | – | – |" in text


def test_broken_experiments_are_listed(grid, tmp_path):
    (grid / "mini_clapsep_1src_seed0/run.json").write_text("{")
    text = write_grid(grid, tmp_path / "results").read_text(encoding="utf-8")
    assert "## Experiments that cannot be read\n\n- mini_clapsep_1src_seed0: " in text


def test_nothing_finished(tmp_path, make_cell):
    with pytest.raises(FileNotFoundError, match="found none: run grid.sh first"):
        write_grid(tmp_path, tmp_path / "results")
    (make_cell(tmp_path, "clapsep", 2, 1.0) / "run.json").write_text("{")
    with pytest.raises(FileNotFoundError, match="Cannot be read: mini_clapsep_2src_seed0"):
        write_grid(tmp_path, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_cells_of_a_table_are_escaped():
    assert table(["a"], [["x|y*"], ["`x|y*`"]]) == "| a |\n|-|\n| x\\|y\\* |\n| `x\\|y*` |"
    assert table(["a"], []) == ""


def test_pictures_stand_alone_and_are_the_same_each_time(written, experiments, tmp_path):
    again = write_grid(experiments, tmp_path / "again").parent
    for name in ("sources", "training"):
        svg = (written[0].parent / f"music_mini_{name}.svg").read_text(encoding="utf-8")
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and int(root.get("width")) > 300
        used = set(re.findall(r"var\((--[\w-]+)\)", svg))
        assert used and used <= set(re.findall(r"(--[\w-]+):", svg))
        assert "prefers-color-scheme: dark" in svg and len(svg) < 100_000
        assert svg == (again / f"music_mini_{name}.svg").read_text(encoding="utf-8")


def test_pictures_show_every_system(written):
    sources, training = (
        (written[0].parent / f"music_mini_{name}.svg").read_text(encoding="utf-8")
        for name in ("sources", "training")
    )
    for text in ("CLAPSep*", "Proposed, CLAP", "Proposed, semi-supervised", "SDR (dB)"):
        assert f">{text}</text>" in sources and f">{text}</text>" in training
    assert "CLAPSep* with 2: 4.00" in sources and "CLAPSep* with 2 to 2.00" in training
    assert "data.clean.share=0.25" in training and "data.clean.share=0.25" not in sources
    for text in ("1 source per mixture", "3 sources per mixture", "SAR (dB)"):
        assert f">{text}</text>" in training


def test_of_more_systems_than_colours_those_of_the_claims_are_drawn():
    names = ["pit", "mixit", "mixpit", "cosep", "sop", "bertsep", "clapsep", "bimodal_clap"]
    groups = [
        Group([Cell("", name, 2, 0, summary={"sdr": 3.0, "interval_95": {}})]) for name in names
    ]
    drawn = re.findall(r">([^<]*)</text>", sources_chart(groups))
    assert {"CLAPSep*", "Proposed, CLAP"} <= set(drawn) and not {"PIT*", "SOP*"} & set(drawn)
    assert {"PIT*", "SOP*"} <= set(re.findall(r">([^<]*)</text>", sources_chart(groups[:6])))
    assert "SDR (dB)" in sources_chart([]) and "1 source" not in training_chart(groups)


def test_order_of_systems(tmp_path, make_cell):
    for system, sdr in (("mixit", 1.0), ("clapsep", 4.0), ("bimodal_clap", 3.0)):
        make_cell(tmp_path, system, 2, sdr)
    text = write_grid(tmp_path, tmp_path / "results").read_text(encoding="utf-8")
    assert rows_of(text, "The paper's order")[2:] == ["| 2 | 3 | 0.50 | – |"]
