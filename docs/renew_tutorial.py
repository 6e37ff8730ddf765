"""Runs the tutorial and saves it with what it printed, drew and played: docs/renew_tutorial.py.

Sounds are saved as MP3, since IPython's WAV would make it large; warnings are of the machine, and
so is what cells with the tag remove-output print, such as progress.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import nbformat
import soundfile
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
            cell.outputs = [output for output in shown if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "Audio object" in output.get("data", {}).get("text/plain", ""):
                    output.data = {"text/html": _smaller(output.data["text/html"])}
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _smaller(player: str) -> str:
    """IPython's player of a WAV as one of an MP3."""
    wav = base64.b64decode(re.search(r"base64,([^\"]+)", player)[1])
    audio, rate = soundfile.read(io.BytesIO(wav))
    mp3 = io.BytesIO()
    soundfile.write(mp3, audio, rate, format="mp3", compression_level=0.6)
    data = base64.b64encode(mp3.getvalue()).decode()
    return f'<audio controls src="data:audio/mpeg;base64,{data}"></audio>'


if __name__ == "__main__":
    nbformat.write(run(), NOTEBOOK)
