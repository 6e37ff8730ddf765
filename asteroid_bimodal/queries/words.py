"""Words that a text encoder cannot read, and would answer by chance."""

from __future__ import annotations

import re
import warnings
from typing import Any

from .captions.phrases import PHRASE_TEMPLATE

_PROMPT = re.compile(PHRASE_TEMPLATE.format(""), re.IGNORECASE)  # not what is asked for
_SHORT = 2  # letters of words such as "of", which say little


def check_words(text: str, tokenizer: Any) -> None:
    """Refuses a text without a letter, and warns of words that the tokenizer only spells.

    Raises:
        ValueError: for a text without a letter.
    """
    if not _has_letter(text):
        raise ValueError(
            f"Expected a query in words, received {text!r}, which has no letter. Name a sound, "
            "such as 'violin'."
        )
    phrase = _PROMPT.sub("", text, count=1)
    words, unread = phrase.split(), unread_words(phrase, tokenizer)
    if len(unread) == len(words) or not _has_letter(phrase):
        warnings.warn(
            f"The text encoder knows no word of {phrase!r}: what it finds is found by chance. Use "
            "words that the model was trained with.",
            stacklevel=2,
        )
    elif unread := [word for word in unread if len(word) > _SHORT]:
        warnings.warn(
            f"The text encoder does not know {', '.join(map(repr, unread))} of {phrase!r}.",
            stacklevel=2,
        )


def _has_letter(text: str) -> bool:
    return any(char.isalpha() for char in text)


def unread_words(text: str, tokenizer: Any) -> list[str]:
    """The words that a tokenizer knows no part of: unknown to it, or spelled by letter or byte."""
    if not getattr(tokenizer, "is_fast", False):  # the others do not tell where a token begins
        return []
    batch = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens = list(zip(batch["input_ids"], batch["offset_mapping"], strict=True))
    unread = []
    for word in re.finditer(r"\S+", text):
        spans = [
            (max(begin, word.start()), end)
            for token, (begin, end) in tokens
            if begin < word.end() and end > word.start() and token != tokenizer.unk_token_id
        ]
        # A character of several bytes has a token for each.
        whole = [span for span in spans if spans.count(span) == 1]
        if not any(end - begin > 1 or _is_a_word(text[begin:end], word[0]) for begin, end in whole):
            unread.append(word[0])
    return unread


def _is_a_word(char: str, word: str) -> bool:
    """Whether a character says something: alone, or in a script that writes syllables or ideas."""
    return char == word or char.isalpha() and char.lower() == char.upper()
