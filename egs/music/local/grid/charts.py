"""Charts over the cells of a grid, as SVG files of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import asteroid_bimodal.report
from asteroid_bimodal.report.figures import SERIES, draw, plot_spectrogram
from asteroid_bimodal.utils.spectrogram import magnitudes

from . import paper
from .cells import Group
from .examples import Item

_ZOOM = 1.4  # pixels per point: the page stretches its charts, a file has to have a size
_QUALITY = ("SDR", "SIR", "SAR")
_STEP_DB = 1.75  # few colours make small pictures


def sources_chart(groups: Sequence[Group]) -> str:
    """Draws SDR over sources per training mixture, a line for each system.

    Args:
        groups: of `group_cells`; those with options of their own are left out, and of more systems
            than there are colours those that no claim is about.
    """
    plain = [group for group in groups if not group.first.options and group.score("sdr")]
    plain = _shown(plain)
    styles = _styles(plain)

    def plot(axes: Axes) -> None:
        for number, (name, style) in enumerate(styles.items()):
            found = [group for group in plain if group.name == name]
            scores = [group.score("sdr") for group in found]
            # Side by side, so that intervals do not hide each other.
            shift = 0.04 * (number - (len(styles) - 1) / 2)
            axes.errorbar(
                [group.first.n_src + shift for group in found],
                [score.mean for score in scores],
                [score.half or 0.0 for score in scores],
                **style,
                marker="o",
                ms=4,
                capsize=2.5,
                linewidth=1.6,
                label=name,
            )
        axes.set(xlabel="sources per training mixture", ylabel="SDR (dB)", xlim=(0.6, 4.4))
        axes.set_xticks([1, 2, 3, 4], ["1\n(supervised)", "2", "3", "4"])
        axes.grid(False, axis="x")
        if styles:
            axes.figure.legend(loc="outside right upper")

    points = (f"{g.name} with {g.first.n_src}: {g.score('sdr').mean:.2f}" for g in plain)
    description = f"SDR in dB over sources per training mixture. {'; '.join(points)}."
    return _file(plot, description, _beside_legend(styles, (4.8, 3.2)))


def training_chart(groups: Sequence[Group]) -> str:
    """Draws SDR, SIR and SAR of validation over training steps, a column for each condition.

    Args:
        groups: of `group_cells`; a column holds those with equally many sources per mixture. Which
            of many are drawn is as in `sources_chart`.
    """
    groups = _shown(groups)
    styles = _styles(groups)
    conditions = sorted({group.first.n_src for group in groups})

    def plot(axes: Axes) -> None:
        figure = axes.figure
        axes.remove()  # for a table of them
        size = (len(_QUALITY), len(conditions))
        panels = figure.subplots(*size, sharex="col", sharey="row", squeeze=False)
        for group in groups:
            column = panels[:, conditions.index(group.first.n_src)]
            for cell in group.cells:
                for series in cell.quality:
                    if series.name in _QUALITY:
                        one = column[_QUALITY.index(series.name)]
                        one.plot(series.x, series.y, **styles[group.name], linewidth=1.3)
        for one, n_src in zip(panels[0], conditions, strict=True):
            one.set_title(f"{n_src} source{'s' * (n_src > 1)} per mixture", fontsize=9)
        for one, name in zip(panels[:, 0], _QUALITY, strict=True):
            one.set_ylabel(f"{name} (dB)")
        for one in panels[-1]:
            one.set_xlabel("training step")
        lines = [Line2D([], [], **style) for style in styles.values()]
        figure.legend(lines, list(styles), loc="outside right upper")

    ends = (
        f"{group.name} with {group.first.n_src} to {series.y[-1]:.2f}"
        for group in groups
        for series in group.first.quality
        if series.name == "SDR"
    )
    description = f"SDR, SIR and SAR of validation over training steps. SDR: {'; '.join(ends)}."
    return _file(plot, description, _beside_legend(styles, (0.8 + 2.0 * len(conditions), 5.0)))


def examples_chart(items: Sequence[Item]) -> str:
    """Draws spectrograms of each item's signals in a row, 0 dB at the loudest of its mixture.

    Args:
        items: of `read_items`, at least one.
    """
    names = list(items[0].signals)

    def plot(axes: Axes) -> None:
        figure = axes.figure
        axes.remove()
        size = (len(items), len(names))
        panels = figure.subplots(*size, sharex=True, sharey=True, squeeze=False)
        for row, item in zip(panels, items, strict=True):
            loudest = magnitudes(item.signals["mixture"], item.sample_rate).max() or 1.0
            for one, name in zip(row, names, strict=True):
                plot_spectrogram(one, item.signals[name], item.sample_rate, loudest, _STEP_DB)
                one.set(xlabel="", ylabel="")
            row[0].set_ylabel(f"{item.phrase.removeprefix('The sound of ')}\nkHz")
        for one, name in zip(panels[0], names, strict=True):
            one.set_title(name, fontsize=9)
        for one in panels[-1]:
            one.set_xlabel("time (s)")

    phrases = ", ".join(item.phrase for item in items)
    description = f"Spectrograms of {', '.join(names)}. Queries: {phrases}."
    return _file(plot, description, (7.2, 0.5 + 1.35 * len(items)))


def _shown(groups: Sequence[Group]) -> list[Group]:
    """Leaves those that claims are about where there are more names than colours."""
    if len({group.name for group in groups}) <= len(SERIES):
        return list(groups)
    claimed = {system for claim in paper.CLAIMS for system in claim[:2]}
    main = [g for g in groups if g.first.system in claimed and not g.first.options]
    names = list(dict.fromkeys(group.name for group in main or groups))[: len(SERIES)]
    return [group for group in main or groups if group.name in names]


def _styles(groups: Sequence[Group]) -> dict[str, dict[str, str]]:
    """Gives each name a colour."""
    names = dict.fromkeys(group.name for group in groups)
    return {name: {"color": color} for name, color in zip(names, SERIES, strict=False)}


def _beside_legend(names: Iterable[str], size: tuple[float, float]) -> tuple[float, float]:
    """Makes room at the right for names in small letters."""
    lengths = [len(name) for name in names]
    width, height = size
    return width + 0.6 + 0.068 * max(lengths, default=0), max(height, 0.2 + 0.165 * len(lengths))


def _file(plot: Callable[[Axes], None], description: str, size: tuple[float, float]) -> str:
    """Draws a picture that stands alone: with the page's colours, a size and a background."""
    # The same ids each time, so that a file changes only with its content.
    with matplotlib.rc_context({"svg.hashsalt": "grid"}):
        svg = draw(plot, description, size)
    folder = Path(asteroid_bimodal.report.__file__).parent
    page = (folder / "style.html").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{[^}]*\}", page)
    style = f"{light} @media (prefers-color-scheme: dark) {{ {dark} }}"
    style += " svg { background: var(--surface); font-family: system-ui, sans-serif; }"
    width, height = (round(72 * _ZOOM * length) for length in size)
    head, body = svg.split(">", 1)
    style = f"<style>{' '.join(style.split())}</style>"
    return f'{head} width="{width}" height="{height}">{style}{body}\n'
