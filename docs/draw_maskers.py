"""Draws docs/maskers.svg: what maskers give for what they cost, from docs/maskers.csv.

python docs/draw_maskers.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

COSTS = {"step_time": "time of a step, of CondUNet's", "operations": "operations, of CondUNet's"}
MARKS = "os^D"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")  # told apart by the colour-blind, too


def main() -> None:
    """Draws a point for each training, SDR against either cost."""
    here = Path(__file__).parent
    rows = pd.read_csv(here / "maskers.csv")
    plt.rcParams.update({"svg.hashsalt": "maskers", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
    for axis, (cost, title) in zip(axes, COSTS.items(), strict=True):
        for (name, own), mark, colour in zip(
            rows.groupby("masker", sort=False), MARKS, COLOURS, strict=True
        ):
            axis.plot(own[cost], own["sdr"], mark, color=colour, alpha=0.85, label=name)
        axis.set(xlabel=title, xlim=(0, 1.1))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("SDR, dB (supervised, 700 steps)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0.15, 1, 1))
    figure.savefig(here / "maskers.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
