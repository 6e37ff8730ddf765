"""Queries: what a user asks for, as phrases and as embeddings."""

from .audio import AudioExample, ClapAudioEncoder
from .base import QueryEncoder, load_query_encoder
from .captions import (
    PhraseAllocation,
    allocate_phrases,
    mixture_caption,
    parse_caption,
    phrase_prompt,
)
from .embedding import EmbeddingCache, EncodedQuery, QueryEmbedding, concat_queries, mean_query
from .image import ClipImageEncoder, ResNetFrameEncoder
from .labels import LabelEncoder, UnconditionedEncoder
from .query import Part, Query, encode_queries
from .spec import ENCODERS, EncoderSpec
from .text import BertEncoder, ClapTextEncoder, ClipTextEncoder
from .vocabulary import Vocabulary
from .words import UnknownSoundWarning

__all__ = [
    "ENCODERS",
    "AudioExample",
    "BertEncoder",
    "ClapAudioEncoder",
    "ClapTextEncoder",
    "ClipImageEncoder",
    "ClipTextEncoder",
    "EmbeddingCache",
    "EncodedQuery",
    "EncoderSpec",
    "LabelEncoder",
    "Part",
    "PhraseAllocation",
    "Query",
    "QueryEmbedding",
    "QueryEncoder",
    "ResNetFrameEncoder",
    "UnconditionedEncoder",
    "UnknownSoundWarning",
    "Vocabulary",
    "allocate_phrases",
    "concat_queries",
    "encode_queries",
    "load_query_encoder",
    "mean_query",
    "mixture_caption",
    "parse_caption",
    "phrase_prompt",
]
