"""Queries: what the user asks for, as phrases and as embeddings."""

from .base import QueryEmbedding, QueryEncoder
from .cache import EmbeddingCache, EncodedQuery
from .captions import (
    PhraseAllocation,
    allocate_phrases,
    mixture_caption,
    parse_caption,
    phrase_prompt,
)
from .text import ClapTextEncoder

__all__ = [
    "ClapTextEncoder",
    "EmbeddingCache",
    "EncodedQuery",
    "PhraseAllocation",
    "QueryEmbedding",
    "QueryEncoder",
    "allocate_phrases",
    "mixture_caption",
    "parse_caption",
    "phrase_prompt",
]
