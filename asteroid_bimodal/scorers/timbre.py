"""A small classifier of timbres: which classes of sound a spectrogram holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..utils.checkpoints import check_fit, check_numbers, first_line, no_larger_than
from ..utils.files import atomic_write


class TimbreClassifier(nn.Module):
    """Convolutions over a log-magnitude spectrogram, averaged over time, then one logit per class.

    Level is taken out first. Frequencies are told apart (they are the channels of the first layer),
    since timbre is where the partials are.

    Args:
        labels: the classes.
        num_freqs: frequencies of a spectrogram.
        channels: feature maps of each layer.
        num_layers: layers after the first.

    Shape:
        - magnitude: (M, F, T)
        - returns: logits (M, C), of independent classes

    Examples:
        >>> classifier = TimbreClassifier(["violin", "flute"], num_freqs=129, channels=8)
        >>> classifier(torch.rand(3, 129, 20)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self, labels: Sequence[str], num_freqs: int, channels: int = 96, num_layers: int = 3
    ) -> None:
        super().__init__()
        if not labels or num_freqs < 1 or channels < 1 or num_layers < 0:
            raise ValueError(
                "Expected at least one label, frequency and channel, received "
                f"{len(labels)} labels, num_freqs {num_freqs} and channels {channels}."
            )
        self.config = {
            "labels": list(labels),
            "num_freqs": num_freqs,
            "channels": channels,
            "num_layers": num_layers,
        }
        self.first = nn.Conv1d(num_freqs, channels, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, channels), nn.GELU(), nn.Conv1d(channels, channels, 3, padding=1)
            )
            for _ in range(num_layers)
        )
        self.last = nn.Linear(2 * channels, len(labels))

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the logits."""
        return self.config["labels"]

    def forward(self, magnitude: Tensor) -> Tensor:
        """Returns a logit for each class; see the class."""
        if magnitude.ndim != 3 or magnitude.shape[1] != self.config["num_freqs"]:
            raise ValueError(
                f"Expected magnitudes (M, {self.config['num_freqs']}, T), received "
                f"{tuple(magnitude.shape)}."
            )
        level = magnitude.mean((1, 2), keepdim=True).clamp_min(1e-5)
        x = self.first((magnitude / level).log1p())  # (M, C, T)
        for layer in self.layers:
            x = x + layer(x)
        return self.last(torch.cat([x.mean(2), x.amax(2)], dim=1))

    def save(self, path: str | PathLike) -> None:
        """Writes weights and classes to a safetensors file, whole or not at all.

        Args:
            path: the file.
        """
        state = {name: value.detach().cpu() for name, value in self.state_dict().items()}
        with atomic_write(path) as temporary:
            save_file(state, temporary, {"config": json.dumps(self.config)})

    @classmethod
    def load(cls, path: str | PathLike) -> TimbreClassifier:
        """Reads what `save` wrote, in eval mode.

        Args:
            path: the file.

        Raises:
            ValueError: for a file that is missing, broken or of another kind.
        """
        try:
            with safe_open(path, "pt") as file:
                config = json.loads((file.metadata() or {})["config"])
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            check_numbers({"config": config}, str(path))
            with no_larger_than(state, str(path)):
                classifier = cls(**config)
            check_fit(classifier.state_dict(), state, str(path))
            classifier.load_state_dict(state)
        except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"Expected a timbre classifier at {path}: {first_line(error)}. Run stage 2 for one."
            ) from error
        return classifier.eval()
