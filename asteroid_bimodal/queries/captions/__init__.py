"""Captions in English: single-source phrases, prompts and mixture captions."""

from .phrases import (
    MIXTURE_TEMPLATE,
    PHRASE_TEMPLATE,
    PhraseAllocation,
    allocate_phrases,
    mixture_caption,
    parse_caption,
    phrase_prompt,
)

__all__ = [
    "MIXTURE_TEMPLATE",
    "PHRASE_TEMPLATE",
    "PhraseAllocation",
    "allocate_phrases",
    "mixture_caption",
    "parse_caption",
    "phrase_prompt",
]
