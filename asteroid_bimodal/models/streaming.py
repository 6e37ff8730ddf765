"""Separating a signal that does not fit into memory, at its own rate and with its own channels.

Legend: B mixtures, C channels, Q estimates, T samples, W samples of a window, K windows of a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..dsp.chunked import QueryOverlapAdd
from ..dsp.resample import resample
from ..dsp.samples import fault_of
from ..queries import QueryEmbedding
from ..queries.query import ConditionedModel
from .likelihood import GATED, Score, gate, heard
from .masked_spectra import MaskedSpectra

_GRID = 64  # STFT frames: a network of six levels halves their number six times
_MOST_CHANNELS = 64


class Separator(ConditionedModel, Protocol):
    """What a stream needs of a model; see `QueriedSeparator`."""

    sample_rate: float
    n_fft: int
    hop_length: int
    window_hop: float
    window_overlap: float

    def modules(self) -> Iterator[nn.Module]: ...

    def encode_queries(self, queries: Any, batch_size: int) -> QueryEmbedding: ...

    def separate_spectra(self, wav: Tensor, query: QueryEmbedding) -> MaskedSpectra: ...

    def likelihoods(self, spectra: MaskedSpectra, query: QueryEmbedding) -> Tensor | None: ...

    def decode(self, spectra: MaskedSpectra) -> Tensor: ...


class SeparationStream:
    r"""The separated pieces of a signal that comes in pieces; iterate over it, once.

    Windows overlap (see `QueryOverlapAdd`), and each is resampled there and back by itself. They
    start where samples of both rates, and as a rule frames of the model, coincide, and the
    resampler's ends fall where a window counts nothing, so that this equals resampling the whole
    signal. Memory does not grow with the length.

    The last `num_negative` queries are negative, see `MaskedSpectra.without`. If there is no other
    query, the one estimate is the input, all of its band, less the estimate of the negative ones.

    Args:
        model: the separator.
        blocks: pieces of the signal, of any lengths.
        queries: texts, or a `QueryEmbedding` of the B mixtures; they are encoded once.
        sample_rate: of the signal, in hertz.
        num_negative: how many of the queries are negative.
        residual: append what is in no estimate.
        share: have the estimates share the input among them, see `MaskedSpectra.shared`.
        extend: give each estimate of what is above the model's band as much as it has of the upper
            half of the band at that time, see `MaskedSpectra.top_shares`.
        gate: lower the estimates of sounds that are very unlikely in a window, see
            `likelihood.gate`; not of those that share the input, nor of a model without a
            calibration.
        batch_size: windows in one pass; on a GPU, several are faster.

    Shape:
        - blocks: (C, T), or (B, C, T)
        - yields: (Q, C, T), or (B, Q, C, T), for Q queries that are not negative, at least one;
          one more with the residual

    Raises:
        ValueError: as `QueriedSeparator.separate`, when the piece is reached that is at fault, or
            for all of it when that is shorter than a frame of the model.

    Examples:
        >>> from asteroid_bimodal.models import BiModalUNet
        >>> model = BiModalUNet.from_pretrained("mini")
        >>> blocks = torch.randn(2, 44100).split(10000, dim=-1)
        >>> stream = SeparationStream(model, blocks, ["violin"], 44100, residual=True)
        >>> torch.cat(list(stream), dim=-1).shape
        torch.Size([2, 2, 44100])
        >>> stream.levels[0] < 0
        tensor(True)
    """

    def __init__(
        self,
        model: Separator,
        blocks: Iterable[Tensor],
        queries: Any,
        sample_rate: int,
        *,
        num_negative: int = 0,
        residual: bool = False,
        share: bool = False,
        extend: bool = True,
        gate: bool = True,
        batch_size: int = 1,
    ) -> None:
        self.model, self.sample_rate = model, sample_rate
        self.num_negative, self.residual, self.batch_size = num_negative, residual, batch_size
        self.share, self.extend, self.gate = share, extend, gate and not share
        self._blocks = blocks
        self._query = model.encode_queries(queries, 1)
        self._batched = False
        # Energies so far, of the estimates (B, Q) and of the mixtures (B, 1).
        self._estimated = self._mixed = torch.zeros(1, 1)
        self._likelihoods: Tensor | None = None  # so far, (B, Q)

    def __iter__(self) -> Iterator[Tensor]:
        """Yields the estimates piece by piece."""
        hop_size, overlap = window_sizes(self.model, self.sample_rate)
        windows = QueryOverlapAdd(
            self._separate_windows, hop_size + overlap, hop_size, self.batch_size
        )
        for piece in windows.separate_stream(self._as_batches(), self._query):
            num_estimates = piece.shape[1] - self.residual
            self._estimated = self._estimated + _energy(piece[:, :num_estimates])
            yield piece if self._batched else piece.squeeze(0)

    @property
    def likelihoods(self) -> Tensor | None:
        """How likely each sound is there, going by what was read so far, (Q,) or (B, Q).

        That of its likeliest passage, see `Calibration`; None of a model without one, and of what
        negative queries leave over.
        """
        if self._likelihoods is None or self._batched:
            return self._likelihoods
        return self._likelihoods[0]

    @property
    def levels(self) -> Tensor:
        """Level of each estimate relative to its mixture so far, in dB, (Q,) or (B, Q)."""
        tiny = torch.finfo(torch.float64).tiny
        levels = 10 * (self._estimated / self._mixed.clamp_min(tiny)).log10()
        return levels if self._batched else levels[0]

    @property
    def scores(self) -> list[list[Score]]:
        """Of each mixture, the `Score` of each estimate so far."""
        levels = self.levels if self._batched else self.levels.unsqueeze(0)
        likelihoods = torch.full_like(levels, math.nan)
        if self._likelihoods is not None:
            likelihoods = self._likelihoods
        return [
            [Score(level, None if math.isnan(found) else found) for level, found in rows]
            for rows in torch.stack([levels, likelihoods], dim=-1).tolist()
        ]

    def _as_batches(self) -> Iterator[Tensor]:
        for block in self._blocks:
            self._batched = block.ndim == 3
            batch = block if self._batched else block.unsqueeze(0)
            self._mixed = self._mixed + _energy(batch.unsqueeze(1))
            yield batch

    def _separate_windows(self, windows: Tensor, query: QueryEmbedding) -> Tensor:
        """Separates windows (K·B, C, W) into (K·B, Q, C, W)."""
        model, length = self.model, windows.shape[-1]
        shortest = model.n_fft / model.sample_rate
        if length < shortest * self.sample_rate:
            raise ValueError(
                f"Expected at least {1000 * shortest:.0f} ms of audio, one frame of the model, "
                f"received {1000 * length / self.sample_rate:.1f} ms."
            )
        with evaluating(model):
            wav = resample(check_wav(windows).to(model.device), self.sample_rate, model.sample_rate)
            spectra = model.separate_spectra(wav, query)
            factors: Tensor | None = None
            only_negative = self.num_negative == spectra.masks.shape[1]
            if self.num_negative:
                spectra = spectra.without(self.num_negative)
            if only_negative:  # what they take is found, and taken away below
                spectra = replace(spectra, masks=1 - spectra.masks)
            else:
                factors = self._judge(spectra, query)
                spectra = spectra.shared() if self.share else spectra
            decoded = model.decode(spectra).to(windows.dtype)  # (K·B, Q, C, W')
            decoded = resample(decoded, model.sample_rate, self.sample_rate, length=length)
            if self.extend and self.sample_rate > model.sample_rate:
                decoded = decoded + self._above(windows.to(model.device), wav, spectra)
            if self.gate and factors is not None:
                decoded = factors[..., None, None].to(decoded) * decoded
            estimates = decoded.to(windows.device)
        if only_negative:
            estimates = windows.unsqueeze(1) - estimates
        if self.residual:
            rest = windows - estimates.sum(dim=1)
            estimates = torch.cat([estimates, rest.unsqueeze(1)], dim=1)
        return estimates

    def _above(self, windows: Tensor, wav: Tensor, spectra: MaskedSpectra) -> Tensor:
        """Shares out what is above the model's band of windows (K·B, C, W): (K·B, Q, C, W)."""
        length, ratio = windows.shape[-1], self.sample_rate / self.model.sample_rate
        band = resample(wav, self.model.sample_rate, self.sample_rate, length=length)
        shares = spectra.top_shares()  # (K·B, Q, frames)
        span = round((shares.shape[-1] - 1) * self.model.hop_length * ratio) + 1
        shares = F.interpolate(shares, size=span, mode="linear", align_corners=True)
        shares = F.pad(shares, (0, max(0, length - span)), mode="replicate")[..., :length]
        return shares.unsqueeze(2) * (windows - band).unsqueeze(1)

    def _judge(self, spectra: MaskedSpectra, query: QueryEmbedding) -> Tensor | None:
        """Keeps the likelihoods of the likeliest passages; returns factors of the gate (K·B, Q)."""
        if (judged := self.model.likelihoods(spectra, query)) is None:
            return None
        found = heard(judged, spectra.magnitude).amax(-1)
        found = found.unflatten(0, (-1, len(self._query.pooled))).amax(0).cpu()  # (B, Q)
        known = self._likelihoods
        self._likelihoods = found if known is None else torch.maximum(known, found)
        return gate(heard(judged, spectra.magnitude, GATED).amax(-1))


def window_sizes(model: Separator, sample_rate: int) -> tuple[int, int]:
    """Returns the hop and the overlap of windows in samples of the signal."""
    # The hop is as near to window_hop as the grid allows on which samples of both rates, and then
    # frames of the model, coincide; where those are too rare, frames or samples alone.
    model_rate = int(model.sample_rate)
    common = math.gcd(sample_rate, model_rate)
    per_common = model_rate // common  # samples of the model's in which both rates meet
    wanted = model.window_hop * model_rate
    for frames in (_GRID * model.hop_length, model.hop_length, 1):
        grid = math.lcm(per_common, frames)
        if grid <= wanted:
            break
    hop = max(1, round(wanted / grid)) * grid
    return hop // per_common * (sample_rate // common), round(model.window_overlap * sample_rate)


def check_wav(wav: Tensor) -> Tensor:
    """Returns samples (T,), (B, T) or (B, C, T); ValueError where they cannot be separated."""
    if not 1 <= wav.ndim <= 3 or not wav.numel():
        raise ValueError(
            f"Expected samples of shape (T,), (B, T) or (B, C, T), received {tuple(wav.shape)}."
        )
    if wav.ndim > 1 and wav.shape[-1] <= _MOST_CHANNELS < wav.shape[-2]:
        raise ValueError(
            f"Time is the last axis, but the shape {tuple(wav.shape)} has time first, as soundfile "
            "gives it: pass its transpose, as {'array': wav.T, 'sampling_rate': rate}."
        )
    if not wav.is_floating_point():
        raise ValueError(
            f"Expected floating-point samples between -1 and 1, received {wav.dtype}. Divide "
            "16-bit integers by 32768."
        )
    # An exported model has no values to look at yet.
    if not torch.compiler.is_exporting() and (fault := fault_of(wav)):
        raise ValueError(f"The input has {fault}.")
    return wav


@contextmanager
def evaluating(model: Separator) -> Iterator[None]:
    """Puts a model into eval mode, without gradients; each module is as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        for module in modes:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _energy(wav: Tensor) -> Tensor:
    """Sums the squares of (B, Q, C, T) to (B, Q)."""
    return torch.linalg.vector_norm(wav, dim=(-2, -1), dtype=torch.float64).square().cpu()
