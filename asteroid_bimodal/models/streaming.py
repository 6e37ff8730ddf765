"""Separating a signal that does not fit into memory, at its own rate and with its own channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..dsp.chunked import QueryOverlapAdd
from ..dsp.resample import resample
from .queried import QueriedSeparator
from .separation import check_wav, evaluating
from .spectra import Separation

HOP_SECONDS, OVERLAP_SECONDS = 16, 8
_GRID = 64  # STFT frames: a network of six levels halves their number six times


@dataclass
class Presence:
    """How surely sounds are in a signal that comes in windows; see `Separation.presence`.

    A window counts as much as the energy of the estimate in it, so that the score of a signal in
    one window is that of its `Separation`, and silence before and after a sound changes nothing.

    Attributes:
        energy: of each estimate so far, (Q,).
        sure: the same, times the score, (Q,).
    """

    energy: Tensor = field(default_factory=lambda: torch.zeros(()))
    sure: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, separation: Separation) -> None:
        """Counts windows in.

        Args:
            separation: K windows with Q estimates each.
        """
        energy = separation.estimates.double().square().sum((-2, -1))  # (K, Q)
        self.energy = self.energy + energy.sum(0).cpu()
        self.sure = self.sure + (energy * separation.presence).sum(0).cpu()

    @property
    def scores(self) -> list[float]:
        """One number from 0 to 1 for each estimate."""
        return (self.sure / self.energy.clamp_min(torch.finfo(torch.float64).tiny)).tolist()


def separate_stream(
    model: QueriedSeparator,
    blocks: Iterable[Tensor],
    queries: Any,
    sample_rate: int,
    *,
    num_without: int = 0,
    residual: bool = False,
    batch_size: int = 1,
    presence: Presence | None = None,
) -> Iterator[Tensor]:
    r"""Separates a signal that comes in pieces, in overlapping windows; see `QueryOverlapAdd`.

    Each window is resampled there and back by itself. Windows start where samples of both rates,
    and as a rule frames of the model, coincide, and the resampler's ends fall where a window counts
    nothing, so that this equals resampling the whole signal. A signal of one window is separated
    exactly as `model.separate` does it.

    The last `num_without` queries :math:`n` name what is not wanted. Together they take
    :math:`N = \min(1, \sum_n m_n)` of the mixture, where :math:`m` are masks, and nothing twice;
    what is left, :math:`(1 - N) m_q`, is the mask of each other query :math:`q`. If there is no
    other, the mixture itself is what is wanted, all of its band: what comes out is the input less
    the estimate by :math:`N`.

    Args:
        model: the separator.
        blocks: pieces of the signal, of any lengths.
        queries: texts, or a `QueryEmbedding` of one mixture; they are encoded once.
        sample_rate: of the signal, in hertz.
        num_without: how many of the queries are not wanted.
        residual: append what no query took.
        batch_size: windows in one pass; on a GPU, several are faster.
        presence: counts the windows of the estimates in.

    Shape:
        - blocks: (C, T)
        - yields: (Q, C, T), with the residual (Q + 1, C, T), for Q wanted queries or the mixture

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
        estimates = _separate_windows(model, windows, query, sample_rate, num_without, presence)
        if residual:
            rest = windows - estimates.sum(dim=1)
            estimates = torch.cat([estimates, rest.unsqueeze(1)], dim=1)
        return estimates

    hop_size, overlap = window_sizes(model, sample_rate)
    chunked = QueryOverlapAdd(separate, hop_size + overlap, hop_size, batch_size)
    query = model.encode_queries(queries, 1)
    for piece in chunked.separate_stream((block.unsqueeze(0) for block in blocks), query):
        yield piece.squeeze(0)


def _separate_windows(
    model: QueriedSeparator,
    windows: Tensor,
    query: Any,
    sample_rate: int,
    num_without: int,
    presence: Presence | None,
) -> Tensor:
    """Separates windows (K, C, W) into what is wanted, (K, Q, C, W)."""
    with evaluating(model):
        wav = resample(check_wav(windows).to(model.device), sample_rate, model.sample_rate)
        tf_rep = model.forward_encoder(wav)  # (K, C, 2·F, T)
        mid = tf_rep.mean(dim=1)
        masks = model.forward_masker(mid, query)
        num_wanted = masks.shape[1] - num_without
        taken = masks[:, num_wanted:].sum(dim=1, keepdim=True).clamp(max=1)  # (K, 1, F, T)
        wanted = (1 - taken) * masks[:, :num_wanted] if num_wanted else 1 - taken
        if presence is not None:
            presence.add(Separation.of(mid, wanted, wav.shape[-1]))
        masked = model.apply_masks(tf_rep, wanted if num_wanted else taken)
        decoded = model.forward_decoder(masked, wav.shape[-1])  # (K, Q, C, W')
        length = windows.shape[-1]
        decoded = resample(decoded, model.sample_rate, sample_rate, length=length)
    decoded = decoded.to(windows.device)
    return decoded if num_wanted else windows.unsqueeze(1) - decoded


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
