"""Runs the tutorial and saves it with what it printed and drew: python docs/renew_tutorial.py.

Sounds would make it large, and few viewers show them; warnings are of the machine, and so is what
cells with the tag remove-output print, such as progress.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "tutorial.ipynb"


def run(path: Path = NOTEBOOK, seconds: int = 300) -> nbformat.NotebookNode:
    """Runs a notebook in its own folder; an error in a cell is an error here."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=seconds, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "code":
            shown = [] if "remove-output" in tags else cell.outputs
            cell.outputs = [output for output in shown if not _is_left_out(output)]
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _is_left_out(output: nbformat.NotebookNode) -> bool:
    is_sound = "Audio object" in output.get("data", {}).get("text/plain", "")
    return is_sound or output.get("name") == "stderr"


if __name__ == "__main__":
    nbformat.write(run(), NOTEBOOK)
