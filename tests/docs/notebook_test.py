"""The tutorial runs from beginning to end, and is saved small and free of what is of a machine."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"
LARGEST = 200_000  # bytes


@pytest.fixture(scope="module")
def saved():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def printed(cells) -> str:
    outputs = (output for cell in cells for output in cell.get("outputs", []))
    return "".join("".join(output.get("text", "")) for output in outputs)


def words(cells) -> list[str]:
    return re.sub(r"-?\d+\.\d+", "#", printed(cells)).split()


def test_it_runs(saved, monkeypatch):
    for package in ("nbclient", "ipykernel"):
        pytest.importorskip(package)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = runpy.run_path(str(DOCS / "renew_tutorial.py"))["run"](NOTEBOOK, seconds=180)
    # The same lines, though their digits may differ from machine to machine.
    assert words(notebook.cells) == words(saved["cells"])
    improved = re.findall(r"SDR +(\S+) dB before, +(\S+) dB after", printed(notebook.cells))
    assert len(improved) == 2 and all(float(new) > float(old) + 5 for old, new in improved)


def test_it_is_saved_with_pictures_and_sounds_and_small(saved):
    assert NOTEBOOK.stat().st_size < LARGEST
    code = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = [kind for cell in code for output in cell["outputs"] for kind in output.get("data", {})]
    assert "image/png" in kinds and kinds.count("text/html") == 4  # players


def test_it_tells_nothing_of_a_machine(saved):
    assert not re.search(r"(?<![\w.])/\w+/", printed(saved["cells"]))
    names = {output.get("name") for cell in saved["cells"] for output in cell.get("outputs", [])}
    assert "stderr" not in names
