"""The first validation items of each epoch to listen to and to look at, in the logger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from ..report.figures import plot_spectrogram
from ..utils.spectrogram import magnitudes
from .evaluate import SeparatedItem

_ITEMS = 2
Send = Callable[[Logger, dict[str, np.ndarray], str, np.ndarray, int, int], None]


class Listening(Callback):
    """Logs mixture and references of the first pinned items once, and estimates each epoch.

    All sounds of an item have one gain, the same in each epoch; its spectrograms, one picture with
    the references at the left and the estimates at the right, have one scale.

    Args:
        send: an entry of `SENDERS`, for the last of the trainer's loggers.
        sample_rate: of the items, in hertz.
    """

    def __init__(self, send: Send, sample_rate: int):
        self.send, self.sample_rate = send, sample_rate
        self._left, self._known = 0, set[int]()

    def on_validation_epoch_start(self, *_: Any) -> None:
        self._left = _ITEMS

    def on_validation_batch_end(
        self, trainer: Trainer, module: Any, outputs: dict[str, Any] | None, *_: Any
    ) -> None:
        if not trainer.is_global_zero or outputs is None:
            return
        for one in outputs["separated"][: self._left]:
            self._left -= 1
            sounds = _sounds(one, whole=one.item.item not in self._known)
            self._known.add(one.item.item)
            self.send(
                trainer.loggers[-1],
                sounds,
                f"item {one.item.item}/spectrograms",
                _picture(one, self.sample_rate),
                self.sample_rate,
                trainer.global_step,
            )


def _sounds(one: SeparatedItem, whole: bool) -> dict[str, np.ndarray]:
    """Sounds (T,) by name: the estimates and, of a whole item, what does not change."""
    item, found = one.item, {}
    peak = max(float(x.abs().max()) for x in (item.mixture, item.references))
    gain = 0.95 / peak if peak else 1.0
    for phrase, reference, estimate in zip(
        item.phrases, item.references, one.estimates, strict=True
    ):
        found[f"{phrase}, estimate"] = estimate
        if whole:
            found[f"{phrase}, reference"] = reference
    if whole:
        found["mixture"] = item.mixture
    return {
        f"item {item.item}/{name}": (gain * wav.float()).clamp(-1, 1).numpy()
        for name, wav in found.items()
    }


def _picture(one: SeparatedItem, sample_rate: int) -> np.ndarray:
    """Spectrograms as a picture (height, width, 3) of bytes: the mixture, and a row per source."""
    item = one.item
    mixture = item.mixture.numpy()
    loudest = float(magnitudes(mixture, sample_rate).max()) or 1.0
    figure = Figure(figsize=(8, 2 * (1 + len(item.phrases))), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1 + len(item.phrases), 2)
    places = [(grid[0, :], "mixture", mixture)]
    for row, phrase in enumerate(item.phrases):
        places += [
            (grid[row + 1, 0], f"{phrase}, reference", item.references[row].numpy()),
            (grid[row + 1, 1], f"{phrase}, estimate", one.estimates[row].float().numpy()),
        ]
    for place, title, wav in places:
        axes = figure.add_subplot(place)
        plot_spectrogram(axes, wav, sample_rate, loudest)
        axes.set_title(title, fontsize=9, parse_math=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _to_tensorboard(
    logger: Any,
    sounds: dict[str, np.ndarray],
    title: str,
    picture: np.ndarray,
    sample_rate: int,
    step: int,
) -> None:
    writer = logger.experiment
    for name, wav in sounds.items():
        writer.add_audio(name, wav[None], step, sample_rate)
    writer.add_image(title, picture, step, dataformats="HWC")


def _to_wandb(
    logger: Any,
    sounds: dict[str, np.ndarray],
    title: str,
    picture: np.ndarray,
    sample_rate: int,
    step: int,
) -> None:
    for name, wav in sounds.items():
        logger.log_audio(name, [wav], step, sample_rate=[sample_rate])
    logger.log_image(title, [picture], step)


# Of each logger that takes sounds, by its name in the configuration, what hands them over.
SENDERS: dict[str, Send] = {"tensorboard": _to_tensorboard, "wandb": _to_wandb}
