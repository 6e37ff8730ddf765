"""What separating gives: estimates with names, scores and levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from torch import Tensor

from ..queries.naming import output_names
from ..utils.files import atomic_write

_FLOATS = ("wav", "w64", "rf64", "caf", "au")  # formats that hold samples beyond ±1


@dataclass(frozen=True, eq=False, repr=False)
class SeparationResult:
    """Estimates of what queries name; iterates, unpacks and counts as its `estimates` do.

    `result[0]` is a part of the estimates, `result["violin"]` the estimate of a query.

    Attributes:
        estimates: (Q, T), or (Q, C, T) of several channels; of a batch, (B, Q, T) or (B, Q, C, T).
        queries: name of each estimate.
        sample_rate: of the estimates, in hertz.
        presence: presence score of each estimate, from 0 to 1, see `MaskedSpectra.presence`; of a
            batch, a list for each mixture.
        levels: level of each estimate relative to the mixture, in dB; -inf of silence.
        residual: what is in no estimate, without the axis of queries, where it was asked for.
        without: negative queries, which the estimates lack.
        batched: whether there are several mixtures.
        source: name of the separated file, without its suffix.

    Examples:
        >>> result = SeparationResult(np.zeros((2, 8)), ["a", "b"], 8000, [0.9, 0.2], [-3.0, -20.0])
        >>> len(result), result["b"].shape
        (2, (8,))
        >>> result
        SeparationResult(a: presence 0.90, -3.0 dB; b: presence 0.20, -20.0 dB; 8000 Hz)
        >>> result["c"]
        Traceback (most recent call last):
        ...
        KeyError: "There is no estimate of 'c', only of 'a', 'b'."
    """

    estimates: Tensor | np.ndarray
    queries: list[str]
    sample_rate: int
    presence: list[Any]
    levels: list[Any]
    residual: Tensor | np.ndarray | None = None
    without: list[str] = field(default_factory=list)
    batched: bool = False
    source: str | None = None

    def __iter__(self) -> Iterator[Tensor | np.ndarray]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __getitem__(self, key: Any) -> Tensor | np.ndarray:
        if not isinstance(key, str):
            return self.estimates[key]
        if key not in self.queries:
            known = ", ".join(map(repr, self.queries))
            raise KeyError(f"There is no estimate of {key!r}, only of {known}.")
        place = self.queries.index(key)
        return self.estimates[:, place] if self.batched else self.estimates[place]

    def __repr__(self) -> str:
        if self.batched:
            names = ", ".join(self.queries)
            return f"SeparationResult({len(self)} mixtures: {names}; {self.sample_rate} Hz)"
        rows = zip(self.queries, self.presence, self.levels, strict=True)
        found = "; ".join(f"{name}: {_describe(*scores)}" for name, *scores in rows)
        return f"SeparationResult({found}; {self.sample_rate} Hz)"

    def numpy(self) -> SeparationResult:
        """Returns the same with arrays in place of tensors."""
        arrays = {"estimates": self.estimates.numpy()}
        if self.residual is not None:
            arrays["residual"] = self.residual.numpy()
        return replace(self, **arrays)

    def save(
        self, folder: str | PathLike, format: str = "wav", *, overwrite: bool = False
    ) -> list[Path]:
        """Writes a file for each estimate, and for the residual; all of them, or none.

        They are called `violin.wav`, or `duet_violin.wav` where a file was separated, as the
        command calls them; of a batch, the number of the mixture comes first. WAV files hold
        floats, so that nothing is cut off.

        Args:
            folder: where to; made when missing.
            format: suffix of a format of libsndfile, such as "wav", "flac" or "ogg".
            overwrite: replace files that exist.

        Returns:
            The files.

        Raises:
            ValueError: for a format that is not known or cannot hold a peak beyond ±1, and when
                two queries have the same file name.
            FileExistsError: when a file exists.
        """
        format = format.lower().removeprefix(".")
        if format.upper() not in soundfile.available_formats():
            known = ", ".join(map(str.lower, soundfile.available_formats()))
            raise ValueError(f"There is no format {format!r}; libsndfile writes {known}.")
        tracks = {Path(folder) / f"{name}.{format}": track for name, track in self._named()}
        for path, track in tracks.items():
            if path.exists() and not overwrite:
                raise FileExistsError(f"{path} exists already. Replace it with overwrite=True.")
            peak = abs(track).max()
            if format not in _FLOATS and peak > 1:
                raise ValueError(
                    f"{path.name} would be cut off at ±1: it reaches {peak:.2f}. Save it as wav."
                )
        with ExitStack() as stack:
            for path, track in tracks.items():
                temporary = stack.enter_context(atomic_write(path))
                subtype = "FLOAT" if format in _FLOATS else None
                soundfile.write(temporary, track.T, self.sample_rate, subtype, format=format)
        return list(tracks)

    def _named(self) -> Iterator[tuple[str, np.ndarray]]:
        """Pairs each track with the name of its file; (T,) or (C, T)."""
        names = output_names(self.queries, self.residual is not None, self.without)
        batch = self.estimates if self.batched else [self.estimates]
        rests = self.residual if self.batched else [self.residual]
        for number, estimates in enumerate(batch):
            prefix = f"{number + 1}_" if self.batched else ""
            prefix += f"{self.source}_" if self.source else ""
            tracks = [*estimates, *([] if self.residual is None else [rests[number]])]
            for name, track in zip(names, tracks, strict=True):
                yield prefix + name, np.asarray(track.cpu() if isinstance(track, Tensor) else track)


def _describe(presence: float, level: float) -> str:
    return f"presence {presence:.2f}, " + (f"{level:.1f} dB" if level > -math.inf else "silent")
