"""Separating whatever a user has: files, arrays and tensors, of any rate and number of channels.

Legend: B mixtures, C channels, Q estimates of a mixture, T samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..queries import Query, QueryEmbedding, concat_queries, encode_queries
from ..utils.audio_file import LOWEST_RATE, AudioStream, open_audio
from .result import SeparationResult
from .streaming import SeparationStream, Separator, check_wav

_BLOCK = 2**18  # samples of an array that enter the stream at a time
_MOST_CHANNELS = 8  # of an array (C, T) that could be taken for (B, T)


def separate(
    model: Separator,
    wav: Tensor | np.ndarray | str | PathLike | Mapping[str, Any],
    queries: Any,
    *,
    sample_rate: float | None,
    without: Sequence[str | Query],
    progress: bool,
    **options: Any,
) -> SeparationResult:
    """Does what `QueriedSeparator.separate` says; options are those of `SeparationStream`."""
    options["num_negative"] = len(without)
    if isinstance(wav, (str, PathLike)):
        asked = _encode(model, queries, without, 1)
        with open_input(wav, model, Path(wav).name if progress else None) as audio:
            if sample_rate not in (None, audio.sample_rate):
                raise ValueError(
                    f"The sample rate of {wav} is {audio.sample_rate} Hz, not {sample_rate}. Leave "
                    "it out: a file tells its own."
                )
            stream = SeparationStream(
                model, audio.blocks, asked.query, audio.sample_rate, **options
            )
            joined = _join(stream, audio.frames)
        return _result(stream, joined.unsqueeze(0), asked, source=Path(wav).stem)
    array, sample_rate, is_recording = _read_input(wav, sample_rate)
    samples = torch.from_numpy(array) if isinstance(array, np.ndarray) else array.detach()
    rate = _check_rate(model, sample_rate)
    check_wav(samples)
    batched = samples.ndim > 1 and not is_recording
    if not batched:
        batch = samples.reshape(1, -1, samples.shape[-1])
    else:
        _check_rows(samples, queries)
        batch = samples if samples.ndim == 3 else samples.unsqueeze(1)
    asked = _encode(model, queries, without, len(batch))
    blocks = batch.split(_BLOCK, dim=-1)
    stream = SeparationStream(model, blocks, asked.query, rate, **options)
    result = _result(stream, _join(stream, batch.shape[-1]), asked, batched=batched)
    return result.numpy() if isinstance(array, np.ndarray) else result


@contextmanager
def open_input(path: str | PathLike, model: Separator, title: str | None) -> Iterator[AudioStream]:
    """Opens a file; shows a progress bar if it has a title, which stays unless others are shown."""
    with open_audio(path) as audio:
        rate = audio.sample_rate
        total = round(audio.frames / rate)
        with tqdm(desc=title, total=total, unit="s", leave=None, disable=title is None) as bar:
            blocks = _counted(audio.blocks, rate, bar)
            yield replace(audio, blocks=blocks)


def _read_input(
    wav: Any, sample_rate: float | None
) -> tuple[np.ndarray | Tensor, float | None, bool]:
    """Returns an array or a tensor, its rate, and whether it is one recording for sure."""
    if not isinstance(wav, Mapping):
        if not isinstance(wav, (np.ndarray, Tensor)):
            raise ValueError(
                "Expected the path of an audio file, a numpy array, a tensor or a dictionary with "
                f"'array' and 'sampling_rate', received {type(wav).__name__}."
            )
        return wav, sample_rate, False
    if not {"array", "sampling_rate"} <= set(wav):
        raise ValueError(
            "Expected a dictionary with 'array' and 'sampling_rate', as datasets give it, received "
            f"one with {', '.join(map(repr, wav)) or 'nothing'}."
        )
    rate = wav["sampling_rate"]
    if sample_rate not in (None, rate):
        raise ValueError(
            f"The dictionary says {rate} Hz, not {sample_rate}. Leave sample_rate out."
        )
    array = wav["array"] if isinstance(wav["array"], Tensor) else np.asarray(wav["array"])
    if array.ndim not in (1, 2):
        raise ValueError(
            f"Expected one recording (T,) or (C, T) in a dictionary, received {tuple(array.shape)}."
        )
    return array, rate, True


def _check_rate(model: Separator, sample_rate: float | None) -> int:
    if sample_rate is None:
        warnings.warn(
            f"No sample_rate was given: the samples are taken as being at {model.sample_rate:g} "
            "Hz, the model's rate.",
            stacklevel=4,
        )
        sample_rate = model.sample_rate
    real = isinstance(sample_rate, Real)
    if not (real and sample_rate >= LOWEST_RATE and float(sample_rate).is_integer()):
        raise ValueError(
            f"Expected a sample rate in hertz, a whole number of {LOWEST_RATE} or more (44100 for "
            f"44.1 kHz), received {sample_rate!r}."
        )
    return int(sample_rate)


def _check_rows(wav: Tensor, queries: Any) -> None:
    if wav.ndim == 2 and 2 <= len(wav) <= _MOST_CHANNELS and same_for_all(queries):
        raise ValueError(
            f"The shape {tuple(wav.shape)} may mean {len(wav)} channels or {len(wav)} mixtures: "
            "pass {'array': wav, 'sampling_rate': rate} for one recording, or wav[:, None] for "
            "mixtures."
        )


def same_for_all(queries: Any) -> bool:
    """Whether queries are a list for all mixtures, not a list for each."""
    return isinstance(queries, (list, tuple)) and not any(
        isinstance(query, (list, tuple)) for query in queries
    )


@dataclass(frozen=True)
class _Asked:
    """The queries of all mixtures, the negative ones last, and the names of both kinds."""

    query: QueryEmbedding
    queries: list[str]
    without: list[str]


def _encode(
    model: Separator, queries: Any, without: Sequence[str | Query], num_mixtures: int
) -> _Asked:
    if isinstance(without, (str, Query)):
        raise ValueError(f"Expected a list of queries such as ['drums'], received {without!r}.")
    negative = [Query.of(query).name for query in without]
    if same_for_all(queries) and (queries or without):
        names = [Query.of(query).name for query in queries]
        query = _repeat(encode_queries(model, queries, without), num_mixtures)
        if not names:
            return _Asked(query, [f"without {' '.join(negative)}"], [])
        return _Asked(query, names, negative)
    query = model.encode_queries(queries, num_mixtures)
    names = [str(number + 1) for number in range(query.num_queries)]
    if isinstance(queries, (list, tuple)) and all(list(row) == list(queries[0]) for row in queries):
        names = list(queries[0])
    if without:
        negatives = _repeat(encode_queries(model, without), num_mixtures)
        query = concat_queries([query, negatives])
    return _Asked(query, names, negative)


def _repeat(query: QueryEmbedding, num_mixtures: int) -> QueryEmbedding:
    parts = (query.tokens, query.mask, query.pooled)
    return QueryEmbedding(*(part.expand(num_mixtures, *part.shape[1:]) for part in parts))


def _join(pieces: Iterable[Tensor], length: int) -> Tensor:
    """Joins pieces (..., T), most likely `length` in all, with nothing in memory twice."""
    joined, end = torch.empty(0), 0
    for piece in pieces:
        start, end = end, end + piece.shape[-1]
        if end > joined.shape[-1]:
            size = (*piece.shape[:-1], max(end, 3 * end // 2 if start else length))
            longer = piece.new_empty(size)
            if start:
                longer[..., :start] = joined[..., :start]
            joined = longer
        joined[..., start:end] = piece
    return joined[..., :end]


def _result(
    stream: SeparationStream,
    joined: Tensor,
    asked: _Asked,
    *,
    batched: bool = False,
    source: str | None = None,
) -> SeparationResult:
    """Gives parts and names to (B, Q, C, T)."""
    tracks = joined.squeeze(2)  # (B, Q, T) where there is one channel
    num_estimates = tracks.shape[1] - stream.residual
    estimates = tracks[:, :num_estimates]
    residual = tracks[:, -1] if stream.residual else None
    if not batched:
        estimates, residual = estimates[0], None if residual is None else residual[0]
    return SeparationResult(
        estimates,
        asked.queries,
        stream.sample_rate,
        stream.scores if batched else stream.scores[0],
        residual=residual,
        without=asked.without,
        batched=batched,
        source=source,
    )


def _counted(blocks: Iterator[Tensor], rate: int, bar: tqdm) -> Iterator[Tensor]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[-1]
        bar.update(done // rate - bar.n)
