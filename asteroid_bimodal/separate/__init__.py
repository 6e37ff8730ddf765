"""Separating files by words, sounds and pictures: inputs and queries in, WAV files out."""

from ..queries import Part, Query, encode_queries
from ..queries.naming import output_names
from .files import FileResults, separate_file, separate_files
from .inputs import AUDIO_SUFFIXES, FFMPEG_SUFFIXES, find_inputs
from .log import LOG_NAME, LogRow, read_log

__all__ = [
    "AUDIO_SUFFIXES",
    "FFMPEG_SUFFIXES",
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
