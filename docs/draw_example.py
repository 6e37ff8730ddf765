"""Draws docs/example.png and writes docs/sounds: the example, and what the default model finds.

python docs/draw_example.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import soundfile
import torch
from PIL import Image

from asteroid_bimodal.hub import load_model
from asteroid_bimodal.utils.audio_file import read_audio, to_mono
from asteroid_bimodal.utils.example import EXAMPLE_QUERIES, write_example
from asteroid_bimodal.utils.spectrogram import FLOOR_DB, decibels, magnitudes

QUERIES = EXAMPLE_QUERIES[:2]


def tracks() -> tuple[dict[str, torch.Tensor], int]:
    """The mixture, an estimate for each query and the residual, (T,) each, and their rate."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_example(Path(folder) / "duet.wav")
        mixture, rate = read_audio(path)
        result = load_model("small", "cpu").separate(path, list(QUERIES), residual=True)
    named = {"duet.wav": mixture}
    named |= {f"“{query}”": result[query] for query in QUERIES} | {"residual": result.residual}
    return {name: to_mono(wav) for name, wav in named.items()}, rate


def draw(path: Path) -> None:
    """Draws all tracks on one scale; 0 dB is the loudest place of the mixture."""
    found, rate = tracks()
    pictures = {name: magnitudes(wav.numpy(), rate) for name, wav in found.items()}
    loudest = next(iter(pictures.values())).max()
    seconds = next(iter(found.values())).shape[-1] / rate
    figure, axes = plt.subplots(1, len(pictures), figsize=(10, 2.4), sharey=True)
    for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
        axis.imshow(
            decibels(picture, loudest),
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, rate / 2000),
            vmin=FLOOR_DB,
            vmax=0,
            cmap="magma",
        )
        axis.set(title=name, xlabel="s", ylim=(0, 8))
    axes[0].set_ylabel("kHz")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)


def write_sounds(folder: Path) -> None:
    """Writes all tracks as small MP3 files, which every browser plays."""
    found, rate = tracks()
    for name, wav in found.items():
        path = folder / f"{name.strip('“”').removesuffix('.wav')}.mp3"
        soundfile.write(path, wav.numpy(), rate, compression_level=0.8)


if __name__ == "__main__":
    draw(Path(__file__).with_name("example.png"))
    write_sounds(Path(__file__).with_name("sounds"))
