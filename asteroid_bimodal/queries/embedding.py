"""Query embeddings, their weighted averages and their concatenation.

Legend: B mixtures, Q queries of each, L tokens of a query, D token size, E pooled size, K parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_UNIT = 1e-3  # how far the length of a unit vector may be off


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
        """Moves the embedding to a device."""
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
