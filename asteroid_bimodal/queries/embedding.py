"""Embeddings of queries: of a batch, joined and averaged, and the cache that keeps them.

Legend: B mixtures, Q queries of each, L tokens of a query, D token size, E pooled size, K parts.
"""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Hashable, ItemsView, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..utils.files import atomic_write

_UNIT = 1e-3  # how far the length of a unit vector may be off


class EncodedQuery(NamedTuple):
    """One encoded query: tokens (L, D), mask (L) bool, pooled (E)."""

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


@dataclass(frozen=True)
class QueryEmbedding:
    """Encoded queries of a batch of mixtures.

    Attributes:
        tokens: (B, Q, L, D) states of the tokens, for cross-attention.
        mask: (B, Q, L) bool, True for a real token, False for padding.
        pooled: (B, Q, E) one vector for the whole query.

    Examples:
        >>> query = QueryEmbedding(
        ...     tokens=torch.zeros(2, 3, 5, 8),
        ...     mask=torch.ones(2, 3, 5, dtype=torch.bool),
        ...     pooled=torch.zeros(2, 3, 4),
        ... )
        >>> query.num_queries, query.flatten().tokens.shape
        (3, torch.Size([6, 5, 8]))
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __post_init__(self) -> None:
        shapes = [tuple(part.shape) for part in (self.tokens, self.mask, self.pooled)]
        tokens, mask, pooled = shapes
        if tokens[:-1] != mask or mask[:-1] != pooled[:-1] or self.mask.dtype != torch.bool:
            raise ValueError(
                f"Expected tokens (B, Q, L, D), mask (B, Q, L) bool and pooled (B, Q, E); received "
                f"{shapes[0]}, {shapes[1]} {self.mask.dtype} and {shapes[2]}."
            )

    @property
    def num_queries(self) -> int:
        """How many queries each mixture has."""
        return self.pooled.shape[-2]

    def to(self, device: torch.device | str) -> QueryEmbedding:
        """Moves the embedding to a device."""
        return QueryEmbedding(
            self.tokens.to(device, non_blocking=True),
            self.mask.to(device, non_blocking=True),
            self.pooled.to(device, non_blocking=True),
        )

    def select(self, places: Tensor) -> QueryEmbedding:
        """Takes some of each mixture's queries, by their places (K)."""
        return QueryEmbedding(self.tokens[:, places], self.mask[:, places], self.pooled[:, places])

    def flatten(self) -> QueryEmbedding:
        """Joins mixtures and queries: (B, Q, …) becomes (B·Q, …)."""
        return QueryEmbedding(
            self.tokens.flatten(0, 1), self.mask.flatten(0, 1), self.pooled.flatten(0, 1)
        )

    def split(self) -> list[QueryEmbedding]:
        """Returns each query of each mixture by itself: B·Q embeddings (1, 1, …)."""
        flat = self.flatten()
        parts = (part.unsqueeze(1).split(1) for part in (flat.tokens, flat.mask, flat.pooled))
        return [QueryEmbedding(*one) for one in zip(*parts, strict=True)]


torch.export.register_dataclass(
    QueryEmbedding, serialized_type_name="asteroid_bimodal.QueryEmbedding"
)
torch.serialization.add_safe_globals([QueryEmbedding])  # among the inputs of an exported model


def mean_query(
    embeddings: Sequence[QueryEmbedding], weights: Sequence[float] | None = None
) -> QueryEmbedding:
    """Weighted average of query embeddings, such as of "violin" and an example of one.

    Query q of the result is made of query q of every part. Pooled vectors are averaged; where all
    parts are unit vectors the mean is normalised to one again. Tokens are not averaged, since the
    third token of one query has nothing to do with the third of another: those of all parts follow
    each other, for the attention to choose from. So weights act on the pooled vectors alone, except
    that a part of weight 0 is left out.

    Args:
        embeddings: K parts of the same B, Q, D and E.
        weights: K numbers, none negative; equal ones by default.

    Shape:
        - returns: tokens (B, Q, sum of L, D), pooled (B, Q, E)

    Raises:
        ValueError: for parts or weights that do not fit each other.

    Examples:
        >>> from asteroid_bimodal.queries import LabelEncoder
        >>> encoder = LabelEncoder(["violin", "flute"])
        >>> violin, flute = encoder([["violin"]]), encoder([["flute"]])
        >>> mean_query([violin, flute], [3, 4]).pooled
        tensor([[[0.6000, 0.8000]]])
    """
    _check_parts(embeddings, "num_queries")
    weights = [1.0] * len(embeddings) if weights is None else [float(w) for w in weights]
    if len(weights) != len(embeddings) or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(
            f"Expected {len(embeddings)} weights, none negative and not all 0, received {weights}. "
            f"To take a sound away, name it in `without` of `separate_files`, or after --without."
        )
    kept = [pair for pair in zip(embeddings, weights, strict=True) if pair[1] > 0]
    pooled: Any = sum(weight * part.pooled for part, weight in kept) / sum(weights)  # (B, Q, E)
    unit = torch.stack([_is_unit(part.pooled) for part, _ in kept]).all(dim=0)  # (B, Q)
    return QueryEmbedding(
        tokens=torch.cat([part.tokens for part, _ in kept], dim=-2),
        mask=torch.cat([part.mask for part, _ in kept], dim=-1),
        pooled=torch.where(unit.unsqueeze(-1), F.normalize(pooled, dim=-1), pooled),
    )


def concat_queries(embeddings: Sequence[QueryEmbedding]) -> QueryEmbedding:
    """Concatenates query embeddings along the queries.

    Args:
        embeddings: K parts of the same B, D and E; those with fewer tokens are padded.

    Shape:
        - returns: tokens (B, sum of Q, greatest L, D), pooled (B, sum of Q, E)

    Raises:
        ValueError: for parts that do not fit each other.

    Examples:
        >>> from asteroid_bimodal.queries import LabelEncoder
        >>> encoder = LabelEncoder(["violin", "flute"])
        >>> concat_queries([encoder([["violin"]]), encoder([["flute", "violin"]])]).num_queries
        3
    """
    _check_parts(embeddings)
    longest = max(part.mask.shape[-1] for part in embeddings)
    missing = [longest - part.mask.shape[-1] for part in embeddings]
    pairs = list(zip(embeddings, missing, strict=True))
    return QueryEmbedding(
        tokens=torch.cat([F.pad(part.tokens, (0, 0, 0, n)) for part, n in pairs], dim=1),
        mask=torch.cat([F.pad(part.mask, (0, n)) for part, n in pairs], dim=1),
        pooled=torch.cat([part.pooled for part in embeddings], dim=1),
    )


def _is_unit(pooled: Tensor) -> Tensor:
    return (pooled.norm(dim=-1) - 1).abs() < _UNIT


def _check_parts(embeddings: Sequence[QueryEmbedding], *equal: str) -> None:
    shapes = {
        (len(part.pooled), part.tokens.shape[-1], part.pooled.shape[-1])
        + tuple(getattr(part, name) for name in equal)
        for part in embeddings
    }
    if len(shapes) != 1:
        received = [(tuple(part.tokens.shape), tuple(part.pooled.shape)) for part in embeddings]
        raise ValueError(
            f"Expected at least one query embedding, all of the same B, D and E"
            f"{' and Q' if equal else ''}; received tokens and pooled of {received or 'none'}. "
            f"Use encoders of one family, such as the texts and the audio of one CLAP."
        )


class EmbeddingCache:
    """Embeddings in main memory: those that were loaded, and of others the most recently used.

    Args:
        max_items: how many others; the one unused for longest goes first.

    Examples:
        >>> cache = EmbeddingCache(max_items=2)
        >>> item = EncodedQuery(torch.zeros(3, 4), torch.ones(3, dtype=torch.bool), torch.zeros(2))
        >>> for text in ("violin", "flute", "tuba"):
        ...     _ = cache.put(text, item)
        >>> len(cache), cache.get("violin") is None
        (2, True)
    """

    def __init__(self, max_items: int = 20_000) -> None:
        if max_items < 1:
            raise ValueError(f"Expected room for at least 1 item, received {max_items}.")
        self.max_items = max_items
        self._loaded: dict[Hashable, EncodedQuery] = {}
        self._items: OrderedDict[Hashable, EncodedQuery] = OrderedDict()

    def __len__(self) -> int:
        return len(self._loaded) + len(self._items)

    def items(self) -> ItemsView[Hashable, EncodedQuery]:
        """Returns the embeddings with the keys of their queries, those used last at the end."""
        return {**self._loaded, **self._items}.items()

    def get(self, key: Hashable) -> EncodedQuery | None:
        """Returns an embedding, or None when it is not there.

        Args:
            key: of the query.
        """
        if key in self._items:
            self._items.move_to_end(key)
        return self._loaded.get(key) or self._items.get(key)

    def put(self, key: Hashable, item: EncodedQuery) -> EncodedQuery:
        """Keeps an embedding and returns what is kept: a copy in main memory.

        Args:
            key: of the query.
            item: its embedding.
        """
        kept = EncodedQuery(*(part.detach().cpu() for part in item))
        if key in self._loaded:
            self._loaded[key] = kept
            return kept
        self._items[key] = kept
        while len(self._items) > self.max_items:
            self._items.popitem(last=False)
        return kept

    def save(self, path: str | Path, fingerprint: str) -> None:
        """Writes the embeddings of all texts to one safetensors file.

        Args:
            path: the file.
            fingerprint: says which encoder made them; `load` asks for the same.

        Raises:
            ValueError: when there is nothing to write.
        """
        items = {key: item for key, item in self.items() if isinstance(key, str)}
        if not items:
            raise ValueError("Expected at least one embedding to write. Encode something first.")
        tensors = {
            "tokens": torch.cat([item.tokens for item in items.values()]),
            "mask": torch.cat([item.mask for item in items.values()]),
            "pooled": torch.stack([item.pooled for item in items.values()]),
            "lengths": torch.tensor([len(item.mask) for item in items.values()]),
        }
        metadata = {"fingerprint": fingerprint, "texts": json.dumps(list(items))}
        with atomic_write(path) as temporary:
            save_file(tensors, temporary, metadata)

    def load(self, path: str | Path, fingerprint: str) -> int:
        """Reads what `save` wrote, to keep it whatever follows.

        A missing file, a broken one and one of another encoder are no reason to stop, since the
        embeddings can be computed again; of the last two a warning tells.

        Args:
            path: the file.
            fingerprint: of the encoder that asks.

        Returns:
            How many embeddings were read.
        """
        if not Path(path).is_file():
            return 0
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            known = metadata["fingerprint"] == fingerprint
            items = _unpack(json.loads(metadata["texts"]), tensors) if known else {}
        except (
            SafetensorError,
            OSError,
            LookupError,
            ValueError,
            TypeError,
            RuntimeError,
        ) as error:
            warnings.warn(f"Ignoring the broken embeddings in {path}: {error}", stacklevel=2)
            return 0
        if not known:
            warnings.warn(f"Ignoring {path}: its embeddings are another encoder's.", stacklevel=2)
        for text in items:
            self._items.pop(text, None)
        self._loaded.update(items)
        return len(items)


def _unpack(texts: list[str], tensors: dict[str, Tensor]) -> dict[str, EncodedQuery]:
    lengths = tensors["lengths"].tolist()
    parts = zip(
        texts,
        tensors["tokens"].split(lengths),
        tensors["mask"].split(lengths),
        tensors["pooled"],
        strict=True,
    )
    return {text: EncodedQuery(*item) for text, *item in parts}
