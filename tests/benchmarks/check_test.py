"""The check of speed says what is slower than recorded; nothing is timed here."""

import json
import sys
from types import ModuleType

import pytest

from benchmarks import check


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Has benchmarks give made-up ratios in turn; returns where they are put."""
    ratios = {"scores": [], "loading": []}

    def short(name):
        return lambda: {f"{name}, other = 1": ratios[name].pop(0)}

    for name in ratios:
        module = ModuleType(name)
        module.short = short(name)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(check, "names", lambda: list(ratios))
    monkeypatch.setattr(check, "RECORD", tmp_path / "ratios.json")
    return ratios


def test_what_is_slower_is_measured_again_and_told(measured, capsys):
    measured |= {"scores": [0.1], "loading": [1.0]}
    assert check.main(["--record"]) == 0
    assert json.loads(check.RECORD.read_text()) == {
        "scores, other = 1": 0.1,
        "loading, other = 1": 1.0,
    }
    measured |= {"scores": [0.13, 0.12, 0.12, 0.1], "loading": [1.3, 1.1]}
    capsys.readouterr()
    assert check.main([]) == 1
    scores, loading = capsys.readouterr().out.splitlines()
    assert scores.endswith("0.1200  recorded      0.1  +20 %, SLOWER")
    assert loading.endswith("1.1000  recorded      1.0  +10 %")
    assert measured == {"scores": [0.1], "loading": []}


def test_some_benchmarks_alone(measured, capsys):
    measured["scores"] = [0.1]
    assert check.main(["scores"]) == 0 and capsys.readouterr().out.endswith("new\n")
    with pytest.raises(SystemExit):
        check.main(["nonsense"])
    assert "no short benchmark nonsense; there are scores, loading" in capsys.readouterr().err


def test_every_recorded_ratio_is_still_measured():
    recorded = json.loads((check.FOLDER / "ratios.json").read_text())
    sources = "".join((check.FOLDER / f"{name}.py").read_text() for name in check.names())
    assert recorded and all(f'"{name}"' in sources for name in recorded)
