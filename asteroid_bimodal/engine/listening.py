"""The first validation items of each epoch to listen to and to look at, in the logger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback

from ..report.figures import plot_spectrogram
from ..utils.spectrogram import magnitudes
from .evaluate import SeparatedItem

_ITEMS = 2


@dataclass(frozen=True)
class ItemLog:
    """What a logger is given of an item."""

    sounds: dict[str, np.ndarray]  # (T,) samples from -1 to 1, by name
    sample_rate: int  # in hertz
    title: str  # of the picture
    picture: np.ndarray  # (height, width, 3) bytes
    step: int  # of training


Send = Callable[[Any, ItemLog], None]  # with a logger of Lightning


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
            name, rate = one.item.item, self.sample_rate
            sounds, title = _sounds(one, name not in self._known), f"item {name}/spectrograms"
            self._known.add(name)
            log = ItemLog(sounds, rate, title, _picture(one, rate), trainer.global_step)
            self.send(trainer.loggers[-1], log)


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


def _to_tensorboard(logger: Any, log: ItemLog) -> None:
    for name, wav in log.sounds.items():
        logger.experiment.add_audio(name, wav[None], log.step, log.sample_rate)
    logger.experiment.add_image(log.title, log.picture, log.step, dataformats="HWC")


def _to_wandb(logger: Any, log: ItemLog) -> None:
    for name, wav in log.sounds.items():
        logger.log_audio(name, [wav], log.step, sample_rate=[log.sample_rate])
    logger.log_image(log.title, [log.picture], log.step)


# Of each logger that takes sounds, by its name in the configuration, what hands them over.
SENDERS: dict[str, Send] = {"tensorboard": _to_tensorboard, "wandb": _to_wandb}
