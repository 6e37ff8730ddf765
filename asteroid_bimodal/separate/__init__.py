"""Separating files by words, sounds and pictures: inputs and queries in, WAV files out."""

from ..queries import Part, Query, encode_queries
from ..queries.naming import output_names
from ..utils.audio_file import AUDIO_SUFFIXES
from .files import FileResults, separate_file, separate_files
from .inputs import find_inputs
from .log import LOG_NAME, LogRow, read_log

__all__ = [
    "AUDIO_SUFFIXES",
    "LOG_NAME",
    "FileResults",
    "LogRow",
    "Part",
    "Query",
    "encode_queries",
    "find_inputs",
    "output_names",
    "read_log",
    "separate_file",
    "separate_files",
]
