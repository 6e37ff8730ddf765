"""Separating files by words, sounds and pictures: inputs and queries in, WAV files out."""

from ..queries import Part, Query, encode_queries
from .files import FileEstimates, FileResults, separate_file, separate_files
from .inputs import AUDIO_SUFFIXES, FFMPEG_SUFFIXES, find_inputs
from .log import LOG_NAME, LogRow, read_log
from .naming import output_names

__all__ = [
    "AUDIO_SUFFIXES",
    "FFMPEG_SUFFIXES",
    "LOG_NAME",
    "FileEstimates",
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
