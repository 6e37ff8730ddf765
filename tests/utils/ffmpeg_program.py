"""The ffmpeg program, by which tests make files; those that need it are skipped without it."""

from __future__ import annotations

import pytest

from asteroid_bimodal.utils.ffmpeg import find_ffmpeg


def ffmpeg() -> str:
    """Returns its path."""
    try:
        return find_ffmpeg()
    except FileNotFoundError as error:
        pytest.skip(str(error))
