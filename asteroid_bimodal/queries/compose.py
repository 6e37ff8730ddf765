"""Queries made of queries, whatever encoders they come from.

Legend: B mixtures, Q queries of each, L tokens, D token size, E pooled size, K parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import QueryEmbedding

_UNIT = 1e-3  # how far the length of a unit vector may be off


def mean_query(
    embeddings: Sequence[QueryEmbedding], weights: Sequence[float] | None = None
) -> QueryEmbedding:
    """Asks for what several queries mean together, such as "violin" and an example of one.

    Query q of the result is made of query q of every part. Pooled vectors are averaged; where all
    parts are unit vectors the mean is one again, since that is how a model knows them. Tokens are
    not averaged, for the third token of one query has nothing to do with the third of another: the
    parts' tokens follow each other, and the attention sees them all and finds out for itself which
    matter. So weights act on the pooled vectors alone, except that a part of weight 0 is not seen.

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
    heard = [pair for pair in zip(embeddings, weights, strict=True) if pair[1] > 0]
    pooled = sum(weight * part.pooled for part, weight in heard) / sum(weights)  # (B, Q, E)
    unit = torch.stack([_is_unit(part.pooled) for part, _ in heard]).all(dim=0)  # (B, Q)
    return QueryEmbedding(
        tokens=torch.cat([part.tokens for part, _ in heard], dim=-2),
        mask=torch.cat([part.mask for part, _ in heard], dim=-1),
        pooled=torch.where(unit.unsqueeze(-1), F.normalize(pooled, dim=-1), pooled),
    )


def concat_queries(embeddings: Sequence[QueryEmbedding]) -> QueryEmbedding:
    """Asks for the queries of several parts in one pass, one after another.

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
