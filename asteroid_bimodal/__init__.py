"""Separating sounds by words: an Asteroid plug-in for text-conditioned, weakly supervised models.

The flow, and the folders follow it: caption → queries → embeddings → masker → waveforms → losses →
metrics → report. After `import asteroid_bimodal`, `asteroid.models` knows the models.

Names and parts of the package are imported when they are first used, so that the command line
answers `--help` without PyTorch.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING

from .utils.import_hook import after_import

if TYPE_CHECKING:
    from .models import BiModalUNet, SeparationResult
    from .queries import QueryEmbedding, parse_caption

__version__ = "0.1.0"
__all__ = ["BiModalUNet", "QueryEmbedding", "SeparationResult", "__version__", "parse_caption"]

_HOMES = {
    "BiModalUNet": "models",
    "QueryEmbedding": "queries",
    "SeparationResult": "models",
    "parse_caption": "queries",
}
_PARTS = {
    *("cli", "data", "demo", "dsp", "engine", "hub", "losses", "masknn", "metrics", "models"),
    *("queries", "report", "scorers", "separate", "utils"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in _PARTS:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_PARTS})


# Of torchmetrics, each time that Asteroid is imported; nothing that a user could do about it.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")

# Importing the models registers them with Asteroid: at once where Asteroid is imported already.
after_import("asteroid.models", lambda: import_module(f"{__name__}.models"))
