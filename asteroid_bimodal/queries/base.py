"""What every kind of query becomes, and the contract of the encoders that make it.

Legend: B mixtures, Q queries of each, L tokens of a query, D token size, E pooled size.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .cache import EmbeddingCache, EncodedQuery


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
        leading = {shapes[0][:-1], shapes[1]}, {shapes[1][:-1], shapes[2][:-1]}
        if any(len(group) > 1 for group in leading) or self.mask.dtype != torch.bool:
            raise ValueError(
                f"Expected tokens (B, Q, L, D), mask (B, Q, L) bool and pooled (B, Q, E); received "
                f"{shapes[0]}, {shapes[1]} {self.mask.dtype} and {shapes[2]}."
            )

    @property
    def num_queries(self) -> int:
        """How many queries each mixture has."""
        return self.pooled.shape[-2]

    def to(self, device: torch.device | str) -> QueryEmbedding:
        """Moves the embedding to a device.

        Args:
            device: where to.
        """
        return QueryEmbedding(
            self.tokens.to(device, non_blocking=True),
            self.mask.to(device, non_blocking=True),
            self.pooled.to(device, non_blocking=True),
        )

    def flatten(self) -> QueryEmbedding:
        """Joins mixtures and queries: (B, Q, …) becomes (B·Q, …)."""
        return QueryEmbedding(
            self.tokens.flatten(0, 1), self.mask.flatten(0, 1), self.pooled.flatten(0, 1)
        )


class QueryEncoder(nn.Module):
    """Base of the query encoders: frozen networks that turn queries into a `QueryEmbedding`.

    A kind of encoder sets `token_dim` and `pooled_dim` and defines `encode`; one whose queries are
    not texts also defines `check` and `key`. Equal queries are encoded once, and what was encoded
    before is taken from `cache`.

    Attributes:
        token_dim: D.
        pooled_dim: E.
        cache: embeddings of the queries seen so far.

    Examples:
        >>> class Length(QueryEncoder):
        ...     token_dim, pooled_dim = 1, 1
        ...
        ...     def encode(self, queries):
        ...         print("encoding", queries)
        ...         words = [text.split() for text in queries]
        ...         return [
        ...             EncodedQuery(
        ...                 torch.tensor([[float(len(word))] for word in text]),
        ...                 torch.ones(len(text), dtype=torch.bool),
        ...                 torch.tensor([float(len(text))]),
        ...             )
        ...             for text in words
        ...         ]
        >>> encoder = Length()
        >>> query = encoder([["violin", "acoustic guitar"], ["violin", "tuba"]])
        encoding ['violin', 'acoustic guitar', 'tuba']
        >>> query.tokens[0, :, :, 0]
        tensor([[6., 0.],
                [8., 6.]])
        >>> query.mask[0]
        tensor([[ True, False],
                [ True,  True]])
    """

    token_dim: int
    pooled_dim: int

    def __init__(self) -> None:
        super().__init__()
        self.cache = EmbeddingCache()

    @property
    def device(self) -> torch.device:
        """Where embeddings are made and left."""
        return torch.device("cpu")

    def encode(self, queries: list[Any]) -> list[EncodedQuery]:
        """Encodes distinct queries, each by itself.

        Args:
            queries: distinct, checked queries.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define `encode`.")

    def check(self, query: Any) -> None:
        """Raises a ValueError for a query that this encoder cannot encode.

        Args:
            query: one query; a text unless a subclass says otherwise.
        """
        if not isinstance(query, str) or not query.strip():
            raise ValueError(
                f"Expected a query of at least one word, received {query!r}. "
                f"Name a sound, such as 'violin'."
            )

    def key(self, query: Any) -> Hashable:
        """Returns what is the same for equal queries.

        Args:
            query: one query.
        """
        return query

    def forward(self, queries: Sequence[Sequence[Any]]) -> QueryEmbedding:
        """Encodes the queries of a batch of mixtures.

        Args:
            queries: B lists of Q queries.

        Raises:
            ValueError: for a query that is empty or of another kind, and for lists that are empty
                or of different lengths.
        """
        self._check_batch(queries)
        flat = [query for row in queries for query in row]
        distinct = {self.key(query): query for query in flat}
        found = self._look_up(distinct)
        stacked = _stack(list(found.values())).to(self.device)  # (1, U, …)
        position = {key: index for index, key in enumerate(found)}
        index = torch.tensor([[position[self.key(query)] for query in row] for row in queries])
        index = index.to(self.device)  # (B, Q)
        return QueryEmbedding(
            tokens=stacked.tokens[0, index],
            mask=stacked.mask[0, index],
            pooled=stacked.pooled[0, index],
        )

    def _check_batch(self, queries: Sequence[Sequence[Any]]) -> None:
        if isinstance(queries, str) or any(not isinstance(row, (list, tuple)) for row in queries):
            raise ValueError(
                f"Expected a list of queries for every mixture, received {queries!r}. "
                f"Write [['violin', 'flute']] for one mixture."
            )
        counts = sorted({len(row) for row in queries})
        if len(counts) != 1 or counts[0] == 0:
            raise ValueError(
                f"Expected equally many queries, at least one, for every mixture; received "
                f"{counts or 'no mixture'}. Repeat a query to fill up."
            )
        for row in queries:
            for query in row:
                self.check(query)

    def _look_up(self, distinct: dict[Hashable, Any]) -> dict[Hashable, EncodedQuery]:
        found = {key: self.cache.get(key) for key in distinct}
        missing = [key for key, value in found.items() if value is None]
        if missing:
            encoded = self.encode([distinct[key] for key in missing])
            for key, value in zip(missing, encoded, strict=True):
                found[key] = self.cache.put(key, value)
        return found


def _stack(encoded: list[EncodedQuery]) -> QueryEmbedding:
    """Pads U queries to the longest and stacks them: (1, U, …)."""
    tokens = nn.utils.rnn.pad_sequence([item.tokens for item in encoded], batch_first=True)
    mask = nn.utils.rnn.pad_sequence([item.mask for item in encoded], batch_first=True)
    pooled = torch.stack([item.pooled for item in encoded])
    return QueryEmbedding(tokens[None], mask[None], pooled[None])
