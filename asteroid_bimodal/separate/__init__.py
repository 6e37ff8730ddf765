"""Separating files by words, sounds and pictures: inputs and queries in, audio files out."""

from ..queries import Part, Query, encode_queries
from ..queries.naming import output_names
from ..utils.inputs import AUDIO_SUFFIXES, LOG_NAME, find_inputs, is_input
from .files import FileResult, FileResults, separate_each, separate_file, separate_files
from .formats import OutputFormat
from .log import LogRow, read_log

__all__ = [
    "AUDIO_SUFFIXES",
    "LOG_NAME",
    "FileResult",
    "FileResults",
    "LogRow",
    "OutputFormat",
    "Part",
    "Query",
    "encode_queries",
    "find_inputs",
    "is_input",
    "output_names",
    "read_log",
    "separate_each",
    "separate_file",
    "separate_files",
]
