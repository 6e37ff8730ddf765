"""Separating files by words, sounds and pictures: inputs and queries in, audio files out."""

from ..queries import Part, Query, encode_queries
from ..queries.naming import output_names
from ..utils.inputs import AUDIO_SUFFIXES, LOG_NAME, find_inputs, is_input
from .files import FileResult, FileResults, separate_each, separate_files
from .finding import FoundSound, find_sounds, separate_all
from .formats import OutputFormat
from .log import LogRow, read_log

__all__ = [
    "AUDIO_SUFFIXES",
    "LOG_NAME",
    "FileResult",
    "FileResults",
    "FoundSound",
    "LogRow",
    "OutputFormat",
    "Part",
    "Query",
    "encode_queries",
    "find_inputs",
    "find_sounds",
    "is_input",
    "output_names",
    "read_log",
    "separate_all",
    "separate_each",
    "separate_files",
]
