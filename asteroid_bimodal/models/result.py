"""What separating gives: estimates with names, scores and levels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile
from torch import Tensor

from ..queries.naming import output_names
from ..utils.files import atomic_write, join_name
from ..utils.own_sounds import new_sound
from ..utils.spectrogram import magnitudes, picture_uri, wav_uri
from .likelihood import Score

_FLOATS = ("wav", "w64", "rf64", "caf", "au")  # formats that hold samples beyond ±1
_SHOWN_SECONDS = 20  # in notebooks, where each track is a part of the page


@dataclass(frozen=True, eq=False, repr=False)
class SeparationResult:
    """Estimates of what queries name; iterates, unpacks and counts as its `estimates` do.

    `result[0]` is a part of the estimates, `result["violin"]` the estimate of a query.

    Attributes:
        estimates: (Q, T), or (Q, C, T) of several channels; of a batch, (B, Q, T) or (B, Q, C, T).
        queries: name of each estimate.
        sample_rate: of the estimates, in hertz.
        scores: the `Score` of each estimate, its level and how likely its sound is there; of a
            batch, a list for each mixture.
        residual: what is in no estimate, without the axis of queries, where it was asked for.
        without: negative queries, which the estimates lack.
        batched: whether there are several mixtures.
        source: name of the separated file, without its suffix.

    Examples:
        >>> scores = [Score(-3.0, 0.95), Score(-20.0, 0.1)]
        >>> result = SeparationResult(np.zeros((2, 8)), ["a", "b"], 8000, scores)
        >>> len(result), result["b"].shape
        (2, (8,))
        >>> result
        SeparationResult(a: sure, -3.0 dB; b: unlikely, -20.0 dB; 8000 Hz)
        >>> result["c"]
        Traceback (most recent call last):
        ...
        KeyError: "There is no estimate of 'c', only of 'a', 'b'."
    """

    estimates: Tensor | np.ndarray
    queries: list[str]
    sample_rate: int
    scores: list[Score] | list[list[Score]]
    residual: Tensor | np.ndarray | None = None
    without: list[str] = field(default_factory=list)
    batched: bool = False
    source: str | None = None

    def __iter__(self) -> Iterator[Tensor | np.ndarray]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __contains__(self, query: object) -> bool:
        return query in self.queries

    def __getitem__(self, key: Any) -> Tensor | np.ndarray:
        if isinstance(key, int) and not -len(self) <= key < len(self):
            raise IndexError(f"There is no part {key}: the result has {len(self)}, from 0 on.")
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
        rows = zip(self.queries, self.scores, strict=True)
        found = "; ".join(f"{name}: {score}" for name, score in rows)
        return f"SeparationResult({found}; {self.sample_rate} Hz)"

    def numpy(self) -> SeparationResult:
        """Returns the same with arrays in place of tensors."""
        residual = None if self.residual is None else np.asarray(self.residual)
        return replace(self, estimates=np.asarray(self.estimates), residual=residual)

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
            FileExistsError: when a file exists, also one in place of the folder.
        """
        format = format.lower().removeprefix(".")
        if format.upper() not in soundfile.available_formats():
            known = ", ".join(map(str.lower, soundfile.available_formats()))
            raise ValueError(f"There is no format {format!r}; libsndfile writes {known}.")
        names = output_names(self.queries, self.residual is not None, self.without)
        tracks = {}
        for number in range(len(self) if self.batched else 1):
            source = str(number + 1) if self.batched else self.source
            for name, track in zip(names, self._tracks(number), strict=True):
                file = join_name(source, f"_{name}.{format}") if source else f"{name}.{format}"
                tracks[Path(folder) / file] = track
        for path, track in tracks.items():
            if path.exists() and not overwrite:
                raise FileExistsError(f"{path} exists already. Replace it with overwrite=True.")
            peak = abs(track).max()
            if format not in _FLOATS and peak > 1:
                raise ValueError(
                    f"{path.name} would be cut off at ±1: it reaches {peak:.2f}. Save it as wav."
                )
        if Path(folder).exists() and not Path(folder).is_dir():
            raise FileExistsError(f"{folder} is a file: name a folder to save to.")
        with ExitStack() as stack:
            for path, track in tracks.items():
                temporary = stack.enter_context(atomic_write(path))
                subtype = "FLOAT" if format in _FLOATS else None
                channels = len(track) if track.ndim > 1 else 1
                with new_sound(
                    temporary,
                    format=format.upper(),
                    samplerate=self.sample_rate,
                    channels=channels,
                    subtype=subtype,
                ) as file:
                    file.write(track.T)
        return list(tracks)

    def _tracks(self, number: int) -> list[np.ndarray]:
        """Estimates, then the residual, of one mixture: (T,) or (C, T)."""
        tracks = [*(self.estimates[number] if self.batched else self.estimates)]
        if self.residual is not None:
            tracks.append(self.residual[number] if self.batched else self.residual)
        return [one.cpu().numpy() if isinstance(one, Tensor) else one for one in tracks]

    def _repr_html_(self) -> str:
        """Shows a player and a spectrogram of each track in a notebook; of a batch the first."""
        names = [*self.queries, *([] if self.residual is None else ["residual"])]
        first = self._tracks(0)
        tracks = [track[..., : _SHOWN_SECONDS * self.sample_rate] for track in first]
        peak = max(float(np.abs(track).max()) for track in tracks) or 1.0
        pictures = [
            magnitudes(np.atleast_2d(track).mean(axis=0), self.sample_rate) for track in tracks
        ]
        loudest = max(float(picture.max()) for picture in pictures) or 1.0
        captions = map(str, cast(Any, self.scores[0] if self.batched else self.scores))
        rows = [
            f"<tr><th>{escape(name)}<br><small>{caption}</small></th>"
            f'<td><img src="{picture_uri(picture, loudest)}" width="320" height="96" '
            f'alt="Spectrogram of {escape(name)}"></td>'
            f'<td><audio controls src="{wav_uri(0.95 / peak * track, self.sample_rate)}"></audio>'
            "</td></tr>"
            for name, caption, picture, track in zip(
                names, [*captions, ""], pictures, tracks, strict=False
            )
        ]
        parts = [f"The first of {len(self)} mixtures."] if self.batched else []
        if first[0].shape[-1] > tracks[0].shape[-1]:
            parts.append(f"The first {_SHOWN_SECONDS} seconds.")
        return f"<table>{''.join(rows)}</table><p>{' '.join(parts)}</p>"
