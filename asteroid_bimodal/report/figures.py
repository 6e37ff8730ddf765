"""Charts as inline SVG that takes its colours from the page, so that light and dark both work."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ..utils.spectrogram import FLOOR_DB, decibels, magnitudes

# Stand-ins that matplotlib writes into the SVG and `draw` replaces by the page's CSS variables.
INK, GRID, SURFACE = "#0a0b01", "#0a0b02", "#0a0b03"
SERIES = ("#0a0c01", "#0a0c02", "#0a0c03", "#0a0c04", "#0a0c05", "#0a0c06")
_VARIABLES = {INK: "--ink-soft", GRID: "--grid", SURFACE: "--surface"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES, 1)
}
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_MAX_POINTS = 160
# Coarser than the ear, finer than the eye: few colours make small pictures.
_STEP_DB = 1.75


@dataclass(frozen=True)
class Series:
    """A named curve: values `y` at positions `x`."""

    name: str
    x: np.ndarray
    y: np.ndarray


def draw(plot: Callable[[Axes], None], description: str, size: tuple[float, float]) -> Markup:
    """Gives what `plot` draws on axes as an SVG element; its size, in inches, is stretched."""
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The browser's fonts draw the text: what matplotlib's font lacks does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=size, layout="constrained")
        plot(figure.add_subplot())
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # An id may occur once in a page: only those that something refers to stay, and are unique.
    used = set(re.findall(r"#(\w+)", text))
    text = re.sub(r' id="([^"]*)"', lambda match: match[0] * (match[1] in used), text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    text = re.sub(r"(data:image/png;base64,)([^\"]+)", _with_palette, text)
    return Markup(f'<svg role="img" aria-label="{escape(description)}"' + text[len("<svg") :])


def curves(
    series: Sequence[Series], *, end: float, xlabel: str, ylabel: str, description: str
) -> Markup:
    """Draws curves from 0 to `end`; long ones as the mean and the range of every stretch."""

    def plot(axes: Axes) -> None:
        for color, one in zip(SERIES, series, strict=False):
            bins = np.array_split(np.arange(len(one.x)), min(len(one.x), _MAX_POINTS))
            x, y = ([values[b].mean() for b in bins] for values in (one.x, one.y))
            if len(one.x) > _MAX_POINTS:
                low, high = ([f(one.y[b]) for b in bins] for f in (np.min, np.max))
                axes.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0)
            marker = "o" if len(x) <= 40 else None
            axes.plot(x, y, color=color, linewidth=1.6, marker=marker, ms=2.8, label=one.name)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(series) > 1:
            _legend_above(axes)

    return draw(plot, description, (3.9, 2.35))


def _legend_above(axes: Axes) -> None:
    """Puts the legend where it hides nothing."""
    names = axes.get_legend_handles_labels()[1]
    ncols = 4 if max(map(len, names)) <= 8 else 2
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0}
    axes.legend(**place, ncols=ncols, columnspacing=1)


def histogram(
    values: np.ndarray, before: np.ndarray | None, *, xlabel: str, description: str
) -> Markup:
    """Draws how values spread over sources, beside those of the mixture where given."""
    both = values if before is None else np.concatenate([values, before])
    low, high = float(both.min()), float(both.max())
    edges = np.linspace(low, high if high > low else low + 1, 25)

    def plot(axes: Axes) -> None:
        if before is not None:
            axes.hist(before, edges, color=SERIES[1], alpha=0.55, label="mixture")
        axes.hist(values, edges, color=SERIES[0], alpha=0.75, label="estimate")
        axes.axvline(values.mean(), color=INK, linewidth=1.2, linestyle="--", label="mean")
        axes.set(xlabel=xlabel, ylabel="sources")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.grid(False, axis="x")
        _legend_above(axes)

    return draw(plot, description, (3.9, 2.2))


def boxes(groups: Mapping[str, np.ndarray], *, xlabel: str, description: str) -> Markup:
    """Draws a box and the single values for every group, the first at the top."""
    names, values = list(groups), list(groups.values())
    jitter = np.random.default_rng(0)

    def plot(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=0.8)
        line = {"color": SERIES[0], "linewidth": 1.2}
        axes.boxplot(
            values,
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": "none", "edgecolor": SERIES[0], "linewidth": 1.2},
            medianprops={"color": SERIES[0], "linewidth": 2.4},
            whiskerprops=line,
            capprops=line,
        )
        for row, group in enumerate(values, 1):
            y = row + jitter.uniform(-0.18, 0.18, len(group))
            axes.plot(group, y, "o", color=SERIES[0], alpha=0.45, ms=2.6, markeredgewidth=0)
        axes.set_yticks(range(1, len(names) + 1), [_short(name) for name in names])
        axes.set(xlabel=xlabel, ylim=(len(names) + 0.6, 0.4))
        axes.grid(False, axis="y")

    return draw(plot, description, (5.6, 0.7 + 0.25 * len(names)))


def plot_spectrogram(
    axes: Axes, signal: np.ndarray, sample_rate: int, loudest: float, step_db: float | None = None
) -> None:
    """Plots the spectrogram of (T,) samples, 0 dB at `loudest`, in steps of `step_db` or none."""
    levels = np.clip(decibels(magnitudes(signal, sample_rate), loudest), FLOOR_DB, 0)
    axes.imshow(
        levels if step_db is None else np.round(levels / step_db) * step_db,
        origin="lower",
        aspect="auto",
        interpolation="auto" if step_db is None else "none",
        cmap="magma",
        vmin=FLOOR_DB,
        vmax=0,
        extent=(0, len(signal) / sample_rate, 0, sample_rate / 2000),
    )
    axes.set(xlabel="time (s)", ylabel="frequency (kHz)")
    axes.grid(False)


def spectrogram(
    signal: np.ndarray, sample_rate: int, *, loudest: float, description: str
) -> Markup:
    """Draws the spectrogram of (T,) samples; 0 dB is `loudest`."""

    def plot(axes: Axes) -> None:
        plot_spectrogram(axes, signal, sample_rate, loudest, _STEP_DB)

    return draw(plot, description, (3.6, 2.05))


def _with_palette(match: re.Match[str]) -> str:
    """Encodes a picture of few colours anew, at a fraction of the size."""
    picture = Image.open(io.BytesIO(base64.b64decode(match[2]))).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return match[1] + base64.b64encode(buffer.getvalue()).decode("ascii")


def color_bar() -> str:
    """Gives the spectrograms' colours, lowest first, as a CSS gradient."""
    stops = matplotlib.colormaps["magma"](np.linspace(0, 1, 9))
    return f"linear-gradient(to right, {', '.join(matplotlib.colors.to_hex(c) for c in stops)})"


def _short(name: str, length: int = 34) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
