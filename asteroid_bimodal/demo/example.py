"""A duet to try the page with, rendered from the package's own miniature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from ..data.mini.music import render_take
from ..utils.files import atomic_write

EXAMPLE_QUERIES = ("flute", "cello", "xylophone")  # the last one does not play
_RATE, _SECONDS = 22050, 8.0
_PLAYERS = (("flute", 1, (0.3, 0.5)), ("cello", 2, (0.5, 0.3)))  # seed, gains left and right


def write_example(path: str | Path) -> Path:
    """Writes eight seconds of flute and cello in stereo, the same every time.

    Args:
        path: a WAV file.

    Returns:
        The path.

    Examples:
        >>> import tempfile
        >>> path = write_example(f"{tempfile.mkdtemp()}/flute_and_cello.wav")
        >>> soundfile.info(path).channels, soundfile.info(path).duration
        (2, 8.0)
    """
    path = Path(path)
    mixture = sum(
        render_take(label, _SECONDS, _RATE, np.random.default_rng(seed))[:, None] * gains
        for label, seed, gains in _PLAYERS
    )
    with atomic_write(path) as temporary:
        soundfile.write(temporary, mixture, _RATE, subtype="PCM_16")
    return path
