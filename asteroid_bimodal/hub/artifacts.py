"""What is published beside the weights: training curves, and an example with spectrograms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..engine.examples import load_examples
from ..report import Example
from ..report.figures import plot_spectrogram
from ..report.training_curves import Panel, find_logs, read_panels
from ..utils.checkpoints import first_line
from ..utils.spectrogram import magnitudes

CURVES, SPECTROGRAMS = "plots/training.png", "example/spectrograms.png"
_WORDS = {"text.parse_math": False}  # a dollar is one
_COLUMNS, _MAX_PANELS, _SECONDS = 3, 12, 12


@dataclass(frozen=True)
class PublishedExample:
    """An example in a published folder."""

    mixture: str  # path of its audio in the folder
    estimates: list[tuple[str, str]]  # phrase and path of each
    seconds: float  # how long they are


@matplotlib.rc_context(_WORDS)
def write_curves(exp_dir: Path, folder: Path) -> bool:
    """Draws the training logs to `plots/training.png`; returns whether anything was logged."""
    try:
        panels = read_panels(find_logs(exp_dir))[:_MAX_PANELS]
    except (ValueError, OSError) as error:
        raise ValueError(
            f"A training log of {exp_dir} cannot be read: {first_line(error)}. Delete the file."
        ) from error
    if not panels:
        return False
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(grid, panels, strict=False):
        _draw_panel(axes, panel)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    _save(figure, folder / CURVES)
    return True


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for series in panel.series:
        axes.plot(series.x, series.y, linewidth=1.2, label=series.name)
    axes.set_title(panel.title, fontsize=9)
    axes.set(xlabel="training step", ylabel=panel.unit)
    axes.grid(alpha=0.3)
    if len(panel.series) > 1:
        axes.legend(fontsize=7, frameon=False)


def write_example(exp_dir: Path, folder: Path) -> PublishedExample | None:
    """Writes at most 12 seconds of the first example, if there is one; all sounds get one gain."""
    examples = load_examples(exp_dir / "examples")
    if not examples:
        return None
    example = examples[0]
    count = int(_SECONDS * example.sample_rate)
    mixture, estimates = (
        np.asarray(wav)[..., :count] for wav in (example.mixture, example.estimates)
    )
    peak = max(np.abs(mixture).max(), np.abs(estimates).max())
    gain = 0.95 / peak if peak > 0 else 1.0
    names = [f"estimate_{number}" for number in range(1, len(estimates) + 1)]
    (folder / "example").mkdir()
    for name, wav in zip(["mixture", *names], [mixture, *estimates], strict=True):
        soundfile.write(folder / f"example/{name}.flac", gain * wav, example.sample_rate)
    _draw_example(example, folder / SPECTROGRAMS, count)
    paths = [f"example/{name}.flac" for name in names]
    return PublishedExample(
        "example/mixture.flac",
        list(zip(example.phrases, paths, strict=True)),
        round(len(mixture) / example.sample_rate, 1),
    )


@matplotlib.rc_context(_WORDS)
def _draw_example(example: Example, path: Path, count: int) -> None:
    """Draws the mixture above the estimates, and those beside their references."""
    references = [] if example.references is None else list(example.references)
    rows = [("mixture", example.mixture, None)]
    for index, phrase in enumerate(example.phrases):
        reference = references[index] if references else None
        rows.append((f"“{phrase}”", example.estimates[index], reference))
    columns = 2 if references else 1
    figure = Figure(figsize=(4.5 * columns, 2.2 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    loudest = magnitudes(np.asarray(example.mixture)[:count], example.sample_rate).max() or 1.0
    for row, (title, wav, reference) in zip(grid, rows, strict=True):
        for axes, signal, kind in zip(row, (wav, reference), ("", ", reference"), strict=False):
            if signal is None:
                axes.set_axis_off()
                continue
            plot_spectrogram(axes, np.asarray(signal)[:count], example.sample_rate, loudest)
            axes.set_title(title + kind, fontsize=9)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})
