"""A duet to try things with.

`flute_and_xylophone.ogg` is the sum of two real recordings, notes of one player each, that no
model of the package was trained on; 5 s at 16 kHz, the flute to the right, the xylophone to the
left. The flute is of the University of Iowa Musical Instrument Samples, which are free without
restrictions; the xylophone of the Versilian Community Sample Library, CC0.
"""

from __future__ import annotations

from pathlib import Path

from .files import atomic_write

EXAMPLE_QUERIES = ("flute", "xylophone", "trumpet")  # the last one does not play
_DUET = Path(__file__).with_name("flute_and_xylophone.ogg")


def write_example(path: str | Path) -> Path:
    """Writes five seconds of flute and xylophone in stereo, the same every time.

    Args:
        path: a file of a format that libsndfile writes, such as wav.

    Returns:
        The path.

    Raises:
        ValueError: for another format.

    Examples:
        >>> import tempfile
        >>> path = write_example(f"{tempfile.mkdtemp()}/flute_and_xylophone.wav")
        >>> import soundfile
        >>> soundfile.info(path).channels, soundfile.info(path).duration
        (2, 5.0)
    """
    import soundfile

    path = Path(path)
    if path.suffix[1:].upper() not in soundfile.available_formats():
        raise ValueError(f"{path} has no suffix of an audio format, such as .wav.")
    mixture, sample_rate = soundfile.read(_DUET)
    with atomic_write(path) as temporary:
        soundfile.write(temporary, mixture, sample_rate)
    return path
