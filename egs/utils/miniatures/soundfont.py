"""The General MIDI soundfont inside the `pretty_midi` wheel, which the miniatures play on."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import midirenderer
import numpy as np
import pretty_midi
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

RENDER_RATE = 48_000  # what midirenderer returns


def play_midi(midi: bytes, sample_rate: int) -> NDArray[np.float32]:
    """Renders a MIDI file as mono.

    Args:
        midi: content of the file.
        sample_rate: in hertz.

    Returns:
        (T,), until the last note has died away.
    """
    rendered = midirenderer.render_wave_from(_soundfont(), midi)
    stereo, _ = soundfile.read(io.BytesIO(rendered), dtype="float32", always_2d=True)
    return resample_poly(stereo.mean(axis=1), sample_rate, RENDER_RATE)


@lru_cache(maxsize=1)
def _soundfont() -> bytes:
    return (Path(pretty_midi.__file__).parent / "TimGM6mb.sf2").read_bytes()
