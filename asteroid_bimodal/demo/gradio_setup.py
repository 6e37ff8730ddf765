"""Gradio, which is an extra: without telemetry, and with the system's fonts."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

CSS, SCRIPT = (Path(__file__).with_name(name).read_text() for name in ("page.css", "page.js"))
_FONT = ("system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_FONT_MONO = ("ui-monospace", "Menlo", "Consolas", "monospace")


def load_gradio() -> ModuleType:
    """Imports gradio with its telemetry off.

    Raises:
        ValueError: when gradio is not installed.
    """
    # Read when gradio is imported, and each time it would report something.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ValueError(
            f"The demo needs gradio, which cannot be imported ({error}). Install it with `pip "
            'install "asteroid-bimodal[demo]"`.'
        ) from error
    return gradio


def make_theme(gradio: ModuleType) -> Any:
    """A theme of the system's own fonts."""
    return gradio.themes.Default(primary_hue="blue", font=_FONT, font_mono=_FONT_MONO)
