"""The results of a grid of experiments in the layouts of the paper: tables, charts, provenance."""

from .page import write_grid

__all__ = ["write_grid"]
