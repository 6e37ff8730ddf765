"""Downloading MUSIC, VGGSound and AudioCaps."""

from .clips import Entry, Listing
from .errors import DiskFullError, DownloadStoppedError
from .ledger import Row, read_ledger
from .manifests import write_manifests
from .run import Summary, download, read_set
from .video import FetchOptions

__all__ = [
    "DiskFullError",
    "DownloadStoppedError",
    "Entry",
    "FetchOptions",
    "Listing",
    "Row",
    "Summary",
    "download",
    "read_ledger",
    "read_set",
    "write_manifests",
]
