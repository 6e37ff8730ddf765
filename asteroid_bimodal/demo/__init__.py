"""A local page to try a model on: audio and queries in, tracks with spectrograms out."""

from ..utils.example import EXAMPLE_QUERIES, write_example
from ..utils.extras import extra

with extra("demo"):
    from .gradio_setup import load_gradio
    from .lazy_models import LazyModels
    from .page import build_page
    from .separation import (
        MAX_QUERIES,
        MAX_SECONDS,
        DemoResult,
        QueryError,
        Track,
        parse_queries,
        separate_recording,
    )
    from .serve import Address, serve

__all__ = [
    "EXAMPLE_QUERIES",
    "MAX_QUERIES",
    "MAX_SECONDS",
    "Address",
    "DemoResult",
    "QueryError",
    "Track",
    "LazyModels",
    "build_page",
    "load_gradio",
    "parse_queries",
    "separate_recording",
    "serve",
    "write_example",
]
