"""Overlap-add that takes queries: separating what is too long for one pass.

Legend: B mixtures, C channels, Q queries of a mixture, T samples, W samples of a window, K windows
of one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import groupby, islice
from typing import Any

import torch
from torch import Tensor, nn


class QueryOverlapAdd(nn.Module):
    r"""Runs a model that takes queries over overlapping windows, and cross-fades what comes out.

    It is to such models what `asteroid.dsp.LambdaOverlapAdd` is to those without queries. Nothing
    is reordered from one window to the next, because query :math:`q` gives estimate :math:`q` in
    each of them. Window :math:`k` covers the samples from :math:`kH` to :math:`kH + W`; the last
    one ends where the signal ends. In the :math:`O = W - H` samples of an overlap, the weight of
    the later window is

    .. math::
        f(t) = \sin^2\Big(\frac{\pi}{2} \min\big(\max(2t / O - 1/2,\, 0),\, 1\big)\Big)

    and that of the earlier one is :math:`1 - f(t)`: together exactly 1, and 0 for the quarter of
    the overlap next to a window's end, where the model lacks context. The ends of the signal are
    not faded, there is no latency, and the output is as long as the input.

    Args:
        model: called `model(wav, queries)`, gives estimates as long as `wav` with the batch first
            and time last. If it has `encode_queries(queries, batch_size)`, as `BiModalUNet` has,
            the queries are encoded once for the whole signal and all of its windows get the
            result.
        window_size: W.
        hop_size: H, samples from window to window; half of `window_size` by default.
        batch_size: windows in one pass of the model.

    Shape:
        - wav: (T,), (B, T) or (B, C, T), as the model takes it
        - queries: as the model takes them: a list of texts for all mixtures, a list for each
          mixture, or a dataclass of tensors (B, ...) such as a `QueryEmbedding`
        - returns: what the model returns for the whole signal, without gradients

    Raises:
        ValueError: for sizes that do not fit together, for samples that are none, and for a model
            whose estimates are not as long as its input.

    Examples:
        >>> def volume(wav, queries):
        ...     return torch.stack([wav * len(query) for query in queries], dim=1)
        >>> chunked = QueryOverlapAdd(volume, window_size=400, batch_size=4)
        >>> wav = torch.randn(1, 10000)
        >>> torch.equal(chunked(wav, ["a", "bb"]), volume(wav, ["a", "bb"]))
        True
    """

    def __init__(
        self,
        model: Callable[[Tensor, Any], Tensor],
        window_size: int,
        hop_size: int | None = None,
        batch_size: int = 1,
    ) -> None:
        super().__init__()
        hop_size = -(-window_size // 2) if hop_size is None else hop_size
        if not 1 <= hop_size <= window_size:
            raise ValueError(
                f"Expected a hop_size between 1 and window_size ({window_size}), received "
                f"{hop_size}."
            )
        if batch_size < 1:
            raise ValueError(f"Expected a batch_size of 1 or more, received {batch_size}.")
        self.model = model
        self.window_size, self.hop_size, self.batch_size = window_size, hop_size, batch_size

    def forward(self, wav: Tensor, queries: Any) -> Tensor:
        """Separates a whole signal; see the class for shapes."""
        return torch.cat(list(self.separate_stream([wav], queries)), dim=-1)

    def separate_stream(self, blocks: Iterable[Tensor], queries: Any) -> Iterator[Tensor]:
        """Separates a signal that comes in pieces; memory does not grow with its length.

        Args:
            blocks: pieces of the signal, of any lengths, shaped as for `forward`.
            queries: as for `forward`.

        Yields:
            Pieces of what `forward` gives for the joined signal, most of them `hop_size` long.

        Raises:
            ValueError: as `forward`, when the piece is reached that is at fault.

        Examples:
            >>> chunked = QueryOverlapAdd(lambda wav, queries: wav.unsqueeze(1), 6, hop_size=4)
            >>> pieces = chunked.separate_stream(torch.arange(7.0).split(3), ["all"])
            >>> [piece.tolist() for piece in pieces]
            [[[0.0, 1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]
        """
        tail: Tensor | None = None
        encoded = None
        windows = cut_windows(blocks, self.window_size, self.hop_size)
        for _, alike in groupby(windows, key=lambda window: window.shape):
            while batch := list(islice(alike, self.batch_size)):
                if encoded is None:
                    encoded = self._encode(queries, batch[0])
                for estimates in self._separate(batch, encoded):
                    joined = estimates if tail is None else cross_fade(tail, estimates)
                    tail = joined[..., self.hop_size :].clone()
                    yield joined[..., : self.hop_size]
        if tail is not None and tail.shape[-1]:
            yield tail

    @torch.no_grad()
    def _encode(self, queries: Any, window: Tensor) -> Any:
        if not hasattr(self.model, "encode_queries"):
            return queries
        return self.model.encode_queries(queries, 1 if window.ndim == 1 else len(window))

    @torch.no_grad()
    def _separate(self, batch: list[Tensor], encoded: Any) -> Tensor:
        """Runs the model once; K estimates, each shaped as the model's for one window."""
        one = batch[0]
        windows = torch.stack(batch) if one.ndim == 1 else torch.cat(batch)  # (K·B, …, W)
        estimates = self.model(windows, _repeat(encoded, len(batch)))  # (K·B, Q, …, W)
        rows = len(windows)
        if estimates.ndim < 2 or (len(estimates), estimates.shape[-1]) != (rows, one.shape[-1]):
            raise ValueError(
                f"Expected a model that gives estimates of shape ({rows}, ..., {one.shape[-1]}) "
                f"for a window of shape {tuple(windows.shape)}, received {tuple(estimates.shape)}."
            )
        return estimates if one.ndim == 1 else estimates.unflatten(0, (len(batch), -1))


def cut_windows(blocks: Iterable[Tensor], window_size: int, hop_size: int) -> Iterator[Tensor]:
    """Cuts a signal that comes in pieces into overlapping windows; the last one may be shorter."""
    held = None
    for block in blocks:
        _check_block(block, held)
        held = block if held is None else torch.cat([held, block], dim=-1)
        while held.shape[-1] > window_size:  # so that more than an overlap is left for the last one
            yield held[..., :window_size]
            held = held[..., hop_size:]
    if held is None or not held.numel():
        raise ValueError("Expected a signal of at least one sample, received none.")
    yield held


def cross_fade(earlier: Tensor, later: Tensor) -> Tensor:
    """Fades from the end (..., O) of one window to the next, (..., W); see `QueryOverlapAdd`."""
    overlap = earlier.shape[-1]
    place = (torch.arange(overlap, device=later.device) + 0.5) / max(overlap, 1)
    weight = torch.sin(torch.pi / 2 * (2 * place - 0.5).clamp(0, 1)).square().to(later.dtype)
    faded = torch.lerp(earlier, later[..., :overlap], weight)
    return torch.cat([faded, later[..., overlap:]], dim=-1)


def _check_block(block: Tensor, held: Tensor | None) -> None:
    if not isinstance(block, Tensor) or not 1 <= block.ndim <= 3 or 0 in block.shape[:-1]:
        received = tuple(block.shape) if isinstance(block, Tensor) else type(block).__name__
        raise ValueError(
            f"Expected tensors of shape (T,), (B, T) or (B, C, T), received {received}."
        )
    if not block.is_floating_point():
        raise ValueError(
            f"Expected floating-point samples, received {block.dtype}. Divide 16-bit integers by "
            "32768."
        )
    if held is not None and block.shape[:-1] != held.shape[:-1]:
        raise ValueError(
            f"Expected pieces that differ in length only, received one of {tuple(block.shape)} "
            f"after others of {(*held.shape[:-1], 'T')}."
        )


def _repeat(queries: Any, count: int) -> Any:
    """Repeats the queries of B mixtures for `count` windows of them, window by window."""
    if is_dataclass(queries) and not isinstance(queries, type):
        parts = {part.name: getattr(queries, part.name) for part in fields(queries)}
        return replace(queries, **{name: torch.cat([part] * count) for name, part in parts.items()})
    if isinstance(queries, (list, tuple)) and not all(isinstance(one, str) for one in queries):
        return [*queries] * count
    return queries
