"""Sounds that this package writes: they say so, wherever they are moved, so that none is input."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from soundfile import LibsndfileError, SoundFile

from .files import raw_path

_SOFTWARE = "asteroid-bimodal"
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# What a format holds: channels at most, and sample rates. Of Vorbis, libsndfile does not check it.
_LIMITS: dict[str, tuple[int, Any, str]] = {
    "MP3": (2, _MP3_RATES, "those of MPEG from 8 to 48 kHz"),
    "FLAC": (8, range(1, 655_351), "up to 655 kHz"),
    "OGG": (255, range(1, 200_001), "up to 200 kHz"),
}


def new_sound(
    path: Path, *, format: str, samplerate: int, channels: int, subtype: str | None = None
) -> SoundFile:
    """Opens a new file to write to, which names its writer where its format can tell."""
    most, rates, told = _LIMITS.get(format.upper(), (channels, (samplerate,), ""))
    if channels > most or samplerate not in rates:
        raise ValueError(
            f"A file of the format {format.lower()} holds at most {most} channels and sample rates "
            f"{told}, not {channels} at {samplerate} Hz. Choose wav."
        )
    style = {"samplerate": samplerate, "channels": channels, "subtype": subtype, "format": format}
    file = SoundFile(raw_path(path), "w", **style)
    with suppress(LibsndfileError):
        file.software = _SOFTWARE
    if format.upper() == "MP3":  # its tags have no place for the software
        file.comment = _SOFTWARE
    return file


def is_ours(path: Path) -> bool:
    """Whether a file was opened by `new_sound`, and not written anew by other software."""
    try:
        with SoundFile(raw_path(path)) as file:
            told = file.comment if file.format == "MP3" else file.software
            return told.startswith(_SOFTWARE)
    except (LibsndfileError, OSError):
        return False
