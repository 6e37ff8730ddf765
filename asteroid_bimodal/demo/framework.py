"""Gradio, which is an extra: imported when a page is asked for, and without its telemetry."""

from __future__ import annotations

import os
from types import ModuleType


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
            f"Expected gradio for the demo, could not import it ({error}). Install it with `pip "
            'install "asteroid-bimodal[demo]"`.'
        ) from error
    return gradio
