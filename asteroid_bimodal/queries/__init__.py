"""Queries: what the user asks for, as phrases and as embeddings."""

from .audio import AudioExample, ClapAudioEncoder
from .base import QueryEmbedding, QueryEncoder
from .cache import EmbeddingCache, EncodedQuery
from .captions import (
    PhraseAllocation,
    allocate_phrases,
    mixture_caption,
    parse_caption,
    phrase_prompt,
)
from .compose import concat_queries, mean_query
from .image import ClipImageEncoder, ResNetFrameEncoder
from .labels import LabelEncoder, OutputSlots
from .load import load_query_encoder
from .text import BertEncoder, ClapTextEncoder, ClipTextEncoder

__all__ = [
    "AudioExample",
    "BertEncoder",
    "ClapAudioEncoder",
    "ClapTextEncoder",
    "ClipImageEncoder",
    "ClipTextEncoder",
    "EmbeddingCache",
    "EncodedQuery",
    "LabelEncoder",
    "OutputSlots",
    "PhraseAllocation",
    "QueryEmbedding",
    "QueryEncoder",
    "ResNetFrameEncoder",
    "allocate_phrases",
    "concat_queries",
    "load_query_encoder",
    "mean_query",
    "mixture_caption",
    "parse_caption",
    "phrase_prompt",
]
