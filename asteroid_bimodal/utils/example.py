"""A duet to try things with.

`flute_and_cello.ogg` is the sum of two solos that `egs/utils/miniatures` renders, 8 s at 22050 Hz:

    flute = render_take("flute", 8.0, 22050, np.random.default_rng(1))  # gains 0.3 left, 0.5 right
    cello = render_take("cello", 8.0, 22050, np.random.default_rng(2))  # gains 0.5 left, 0.3 right
"""

from __future__ import annotations

from pathlib import Path

from .files import atomic_write

EXAMPLE_QUERIES = ("flute", "cello", "xylophone")  # the last one does not play
_DUET = Path(__file__).with_name("flute_and_cello.ogg")


def write_example(path: str | Path) -> Path:
    """Writes eight seconds of flute and cello in stereo, the same every time.

    Args:
        path: a file of a format that libsndfile writes, such as wav.

    Returns:
        The path.

    Raises:
        ValueError: for another format.

    Examples:
        >>> import tempfile
        >>> path = write_example(f"{tempfile.mkdtemp()}/flute_and_cello.wav")
        >>> import soundfile
        >>> soundfile.info(path).channels, soundfile.info(path).duration
        (2, 8.0)
    """
    import soundfile

    path = Path(path)
    if path.suffix[1:].upper() not in soundfile.available_formats():
        raise ValueError(f"{path} has no suffix of an audio format, such as .wav.")
    mixture, sample_rate = soundfile.read(_DUET)
    with atomic_write(path) as temporary:
        soundfile.write(temporary, mixture, sample_rate)
    return path
