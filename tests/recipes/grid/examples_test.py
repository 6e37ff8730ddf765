"""The items that two systems kept become spectrograms and sounds."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from grid import write_grid

from asteroid_bimodal.engine.examples import save_examples
from asteroid_bimodal.report import Example

RATE = 8000


def tone(frequency, seconds=0.5):
    return 0.25 * np.sin(2 * np.pi * frequency * np.arange(int(RATE * seconds)) / RATE)


@pytest.fixture
def grid(tmp_path, make_cell):
    """Baseline and proposed framework, which kept four items each."""
    exp = tmp_path / "exp"
    for system, gain in (("clapsep", 0.5), ("bimodal_clap", 0.9)):
        sources, phrases = np.stack([tone(440), tone(1500)]), ["a|b", "flute"]
        examples = [
            Example(f"item_{k:03d}", RATE, sources.sum(0), sources, gain * sources, phrases)
            for k in range(4)
        ]
        save_examples(examples, make_cell(exp, system, 2, 3.0) / "examples")
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
