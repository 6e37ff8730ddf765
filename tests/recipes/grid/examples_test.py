"""The items that two systems kept become spectrograms and sounds."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from grid import write_grid
from grid.cells import group_cells, read_cells
from grid.charts import examples_chart
from grid.examples import Item, read_items, write_items

from asteroid_bimodal.engine.examples import save_examples
from asteroid_bimodal.report import Example

RATE = 8000


def tone(frequency, seconds=0.5):
    return 0.25 * np.sin(2 * np.pi * frequency * np.arange(int(RATE * seconds)) / RATE)


def keep(exp, system, sources, gain=1.0, phrases=("a|b", "flute")):
    """Writes four items of the same sources as the examples of a cell."""
    signals = sources.sum(0), sources, gain * sources
    examples = [Example(f"item_{k:03d}", RATE, *signals, list(phrases)) for k in range(4)]
    save_examples(examples, exp / f"mini_{system}_2src_seed0/examples")


SOURCES = np.stack([tone(440), tone(1500)])


@pytest.fixture
def grid(tmp_path, make_cell):
    """Baseline and proposed framework, which kept four items each."""
    exp = tmp_path / "exp"
    for system, gain in (("clapsep", 0.5), ("bimodal_clap", 0.9)):
        make_cell(exp, system, 2, 3.0)
        keep(exp, system, SOURCES, gain)
    return exp


def test_sounds_and_picture_of_the_first_three_items(grid, tmp_path):
    path = write_grid(grid, tmp_path / "results")
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\[[\w-]+\]\((music_mini_examples/.*?\.flac)\)", text)
    assert len(links) == 12 and "item_003" not in text
    signals = {link: soundfile.read(path.parent / link) for link in links}
    assert all(rate == RATE for _, rate in signals.values())
    peaks = {link.split("_")[-1]: np.abs(wav).max() for link, (wav, _) in signals.items()}
    assert peaks["mixture.flac"] == pytest.approx(0.9, abs=1e-3)
    assert peaks["proposed.flac"] == pytest.approx(0.9 * peaks["reference.flac"], rel=1e-2)
    assert peaks["mix-and-separate.flac"] == pytest.approx(0.5 * peaks["reference.flac"], rel=1e-2)
    svg = (path.parent / "music_mini_examples.svg").read_text(encoding="utf-8")
    assert svg.count("data:image/png") == 12 and ">proposed</text>" in svg
    assert r"| a\|b |" in text


def test_without_the_other_system_there_is_nothing_to_compare(grid, tmp_path):
    (grid / "mini_clapsep_2src_seed0/examples/item_000/example.json").write_text("{")
    with pytest.warns(UserWarning, match="left out"):
        text = write_grid(grid, tmp_path / "some").read_text(encoding="utf-8")
    assert "item_001" in text and "item_000" not in text
    (grid / "mini_clapsep_2src_seed0/final_metrics.json").unlink()
    text = write_grid(grid, tmp_path / "none").read_text(encoding="utf-8")
    assert "The same items" not in text and not (tmp_path / "none/music_mini_examples").exists()


@pytest.mark.parametrize(
    "other",
    [(SOURCES[::-1] / 2,), (SOURCES[:, :99],), (SOURCES, 1.0, ["a", "b"])],
    ids=["mixture", "length", "queries"],
)
def test_other_items_of_the_same_name_do_not_compare(grid, other):
    groups = group_cells(read_cells(grid, "mini")[0])
    assert len(read_items(grid, groups)) == 3
    keep(grid, "clapsep", *other)
    assert read_items(grid, groups) == []


def test_silence(tmp_path):
    item = Item("item_000", "flute", RATE, {"mixture": np.zeros(4000)})
    assert "data:image/png" in examples_chart([item])
    write_items([item], tmp_path)
    assert not soundfile.read(tmp_path / "item_000_mixture.flac")[0].any()


def test_examples_are_those_of_two_sources(grid, tmp_path):
    """Evaluations on others keep none: the examples in the folders are not theirs."""
    for final in grid.glob("*/final_metrics.json"):
        final.rename(final.with_name("final_metrics_3src.json"))
    path = write_grid(grid, tmp_path / "results", test_n_src=3)
    assert path.name == "music_mini_3src.md"
    assert "The same items" not in path.read_text(encoding="utf-8")
