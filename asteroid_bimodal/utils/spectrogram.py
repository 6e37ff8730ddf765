"""Pictures and players of signals, as data URIs for pages that need no other file."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile

FLOOR_DB = -70.0
STEPS = 48
_MOST_BINS, _MOST_FRAMES = 256, 320
_WINDOW_SECONDS = 0.064


def magnitudes(signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """Measures the spectrogram of (T,) samples, small enough for a page: maxima of neighbours."""
    from scipy.signal import stft  # takes half a second to import

    window = 2 ** round(np.log2(_WINDOW_SECONDS * sample_rate))
    signal = np.pad(signal, (0, max(0, window - len(signal))))
    found = np.abs(stft(signal, nperseg=window, noverlap=window - window // 4)[2])
    for axis, most in enumerate((_MOST_BINS, _MOST_FRAMES)):
        starts = np.arange(0, found.shape[axis], max(1, found.shape[axis] // most))
        found = np.maximum.reduceat(found, starts, axis=axis)
    return found


def decibels(magnitudes: np.ndarray, loudest: float) -> np.ndarray:
    """Levels of magnitudes, of which `loudest` is at 0 dB and silence far below `FLOOR_DB`."""
    return 20 * np.log10(np.maximum(magnitudes / loudest, 1e-9))


def picture_uri(magnitudes: np.ndarray, loudest: float) -> str:
    """Draws magnitudes (F, T) as a PNG, low frequencies at the bottom; 0 dB is `loudest`.

    A picture of few colors, one for each of `STEPS` levels, is small.
    """
    import matplotlib  # takes a second to import
    from PIL import Image

    levels = decibels(magnitudes, loudest)
    steps = np.round(np.clip(1 - levels / FLOOR_DB, 0, 1) * (STEPS - 1))
    picture = Image.fromarray(steps[::-1].astype(np.uint8), "P")
    colors = matplotlib.colormaps["magma"](np.linspace(0, 1, STEPS))[:, :3]
    picture.putpalette((255 * colors).round().astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return _uri("image/png", buffer)


def wav_uri(signal: np.ndarray, sample_rate: int) -> str:
    """Encodes samples within ±1, (T,) or (C, T), as a 16-bit WAV file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, signal.T, sample_rate, format="WAV", subtype="PCM_16")
    return _uri("audio/wav", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
