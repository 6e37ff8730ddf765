"""A test item as spectrograms and players."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from ..utils.spectrogram import magnitudes, wav_uri
from .figures import spectrogram


@dataclass(frozen=True)
class Example:
    """Signals of one item for the report.

    Args:
        name: of the item.
        sample_rate: of all signals, in Hz.
        mixture: what the separator was given.
        references: the true sources; None where nobody knows them, as in a real recording.
        estimates: what the separator gave.
        phrases: the queries, in the order of the estimates.
        metrics: a row of `evaluate_item` per source; may be empty.
        residual: what no query claimed.

    Shape:
        - mixture, residual: (T,)
        - references, estimates: (S, T)

    Raises:
        ValueError: on shapes that do not fit and on samples that are not finite.
    """

    name: str
    sample_rate: int
    mixture: ArrayLike
    references: ArrayLike | None
    estimates: ArrayLike
    phrases: Sequence[str]
    metrics: Sequence[Mapping[str, Any]] = ()
    residual: ArrayLike | None = None

    def __post_init__(self):
        expected = (len(self.phrases), *np.shape(self.mixture))
        shapes = {"estimates": expected, "references": expected, "residual": expected[1:]}
        for name, shape in shapes.items():
            received = getattr(self, name)
            if received is not None and np.shape(received) != shape:
                raise ValueError(
                    f"The {name} of example {self.name!r} have shape {tuple(np.shape(received))}, "
                    f"expected {shape}: (sources, samples), one source per phrase."
                )
        for name in ("mixture", *shapes):
            value = getattr(self, name)
            if value is not None and not np.isfinite(np.asarray(value)).all():
                raise ValueError(
                    f"The {name} of example {self.name!r} has non-finite samples. Leave the "
                    "example out."
                )


@dataclass(frozen=True)
class Player:
    """A spectrogram with an audio player."""

    role: str
    svg: Markup
    audio: str
    description: str


@dataclass(frozen=True)
class SourceView:
    """The players and the metrics of one source."""

    phrase: str
    players: list[Player]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class ExampleView:
    """An example as the page shows it."""

    name: str
    mixture: list[Player]  # and the residual
    sources: list[SourceView]


def render_example(example: Example) -> ExampleView:
    """Draws and encodes an example; spectrograms share one dB scale, players one gain."""
    mixture = np.asarray(example.mixture, dtype=np.float64)
    estimates = np.asarray(example.estimates, dtype=np.float64)
    references = estimates[:0] if example.references is None else np.asarray(example.references)
    residual = [] if example.residual is None else [np.asarray(example.residual)]
    peak = max(np.abs(x).max() for x in (mixture, estimates, references, *residual) if np.size(x))
    gain = 0.95 / peak if peak > 0 else 1.0
    loudest = magnitudes(mixture, example.sample_rate).max() or 1.0

    def player(role: str, signal: np.ndarray, phrase: str = "") -> Player:
        description = f"{role}{f' of “{phrase}”' if phrase else ''}, example {example.name}"
        return Player(
            role,
            spectrogram(
                signal,
                example.sample_rate,
                loudest=loudest,
                description=f"Spectrogram: {description}",
            ),
            wav_uri(gain * signal, example.sample_rate),
            description,
        )

    sources = []
    for s, phrase in enumerate(example.phrases):
        players = [player("Reference", references[s], phrase)] if len(references) else []
        players.append(player("Estimate", estimates[s], phrase))
        sources.append(SourceView(phrase, players, example.metrics[s] if example.metrics else {}))
    whole = [
        player("Mixture", mixture),
        *(player("Residual, claimed by no phrase", x) for x in residual),
    ]
    return ExampleView(example.name, whole, sources)
