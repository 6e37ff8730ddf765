"""Separating a signal that does not fit into memory, at its own rate and with its own channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..dsp.chunked import QueryOverlapAdd

if TYPE_CHECKING:
    from .queried import QueriedSeparator

HOP_SECONDS, OVERLAP_SECONDS = 16, 8
_GRID = 64  # STFT frames: a network of six levels halves their number six times


def separate_stream(
    model: QueriedSeparator,
    blocks: Iterable[Tensor],
    queries: Any,
    sample_rate: int,
    *,
    residual: bool = False,
    batch_size: int = 1,
) -> Iterator[Tensor]:
    """Separates a signal that comes in pieces, in overlapping windows; see `QueryOverlapAdd`.

    Each window is resampled there and back by itself. Windows start where samples of both rates,
    and as a rule frames of the model, coincide, and the resampler's ends fall where a window counts
    nothing, so that this equals resampling the whole signal. A signal of one window is separated
    exactly as `model.separate` does it.

    Args:
        model: the separator.
        blocks: pieces of the signal, of any lengths.
        queries: texts, or a `QueryEmbedding` of one mixture; they are encoded once.
        sample_rate: of the signal, in hertz.
        residual: append what no query took.
        batch_size: windows in one pass; on a GPU, several are faster.

    Shape:
        - blocks: (C, T)
        - yields: (Q, C, T), with the residual (Q + 1, C, T)

    Raises:
        ValueError: as `model.separate`, when the piece is reached that is at fault.

    Examples:
        >>> from asteroid_bimodal.models import BiModalUNet
        >>> model = BiModalUNet.from_pretrained("mini")
        >>> blocks = torch.randn(2, 44100).split(10000, dim=-1)
        >>> pieces = separate_stream(model, blocks, ["violin"], 44100, residual=True)
        >>> torch.cat(list(pieces), dim=-1).shape
        torch.Size([2, 2, 44100])
    """

    def separate(windows: Tensor, query: Any) -> Tensor:
        estimates = model.separate(windows, query, sample_rate=sample_rate)
        estimates = estimates.reshape(len(windows), -1, *windows.shape[1:])  # (K, Q, C, W)
        if residual:
            rest = windows - estimates.sum(dim=1)
            estimates = torch.cat([estimates, rest.unsqueeze(1)], dim=1)
        return estimates

    hop_size, overlap = window_sizes(model, sample_rate)
    chunked = QueryOverlapAdd(separate, hop_size + overlap, hop_size, batch_size)
    query = model.encode_queries(queries, 1)
    for piece in chunked.separate_stream((block.unsqueeze(0) for block in blocks), query):
        yield piece.squeeze(0)


def window_sizes(model: QueriedSeparator, sample_rate: int) -> tuple[int, int]:
    """Returns the hop and the overlap of windows in samples of the signal.

    The hop is as near to `HOP_SECONDS` as the grid allows on which samples of both rates, and then
    frames of the model, coincide; where those are too rare, frames or samples alone.

    Args:
        model: the separator.
        sample_rate: of the signal, in hertz.

    Examples:
        >>> from types import SimpleNamespace
        >>> model = SimpleNamespace(sample_rate=8000, hop_length=255)
        >>> window_sizes(model, 8000)  # 8 · 64 frames
        (130560, 64000)
        >>> window_sizes(model, 44100)
        (719712, 352800)
    """
    model_rate = int(model.sample_rate)
    common = math.gcd(sample_rate, model_rate)
    per_common = model_rate // common  # samples of the model's in which both rates meet
    wanted = HOP_SECONDS * model_rate
    for frames in (_GRID * model.hop_length, model.hop_length, 1):
        grid = math.lcm(per_common, frames)
        if grid <= wanted:
            break
    hop = max(1, round(wanted / grid)) * grid
    return hop // per_common * (sample_rate // common), OVERLAP_SECONDS * sample_rate
