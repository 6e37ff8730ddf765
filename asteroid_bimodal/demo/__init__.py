"""A local page to try a model on: audio and words in, tracks to hear and to see out."""

from .answer import MAX_QUERIES, MAX_SECONDS, Answer, Track, find_sounds, read_queries
from .example import EXAMPLE_QUERIES, write_example
from .framework import load_gradio
from .page import build_page
from .serve import Address, serve

__all__ = [
    "EXAMPLE_QUERIES",
    "MAX_QUERIES",
    "MAX_SECONDS",
    "Address",
    "Answer",
    "Track",
    "build_page",
    "find_sounds",
    "load_gradio",
    "read_queries",
    "serve",
    "write_example",
]
