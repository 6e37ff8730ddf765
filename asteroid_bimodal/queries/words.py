"""Warnings of words that a model does not know, or cannot read, and would answer by chance."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .vocabulary import PROMPT, Vocabulary

_SHORT = 2  # letters of words such as "of", which say little
_FEW = 12  # sounds that a sentence lists


class UnknownSoundWarning(UserWarning):
    """Says that a query names a sound that a model does not know, or in words that it cannot read.

    Attributes:
        query: the text.
        nearest: labels of the model that are like it, if there are any.

    Args:
        message: what to tell whoever asked.
        query: the text.
        nearest: labels of the model that are like it.
    """

    def __init__(self, message: str, query: str = "", nearest: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.query, self.nearest = query, list(nearest)


def check_words(
    text: str, vocabulary: Vocabulary | None, unread: Callable[[str], list[str]]
) -> None:
    """Refuses a text without a letter, and warns of one that will be answered by chance.

    Args:
        text: the query.
        vocabulary: what the model knows; without labels, every word that can be read.
        unread: the words of a text that the encoder cannot read.

    Raises:
        ValueError: for a text without a letter.
    """
    if not _has_letter(text):
        raise ValueError(
            f"Expected a query in words, received {text!r}, which has no letter. Name a sound, "
            "such as 'violin'."
        )
    if vocabulary is not None and vocabulary.labels:
        told = _unknown(text, vocabulary)
    else:
        told = _unread(text, unread)
    if told is not None:
        warnings.warn(told, stacklevel=2)


def _unknown(text: str, vocabulary: Vocabulary) -> UnknownSoundWarning | None:
    labels, unknown = vocabulary.find(text), vocabulary.unknown(text)
    if labels and not unknown:
        return None
    if labels:
        sentence = (
            f"This model does not know {_listed(unknown)} of {text!r}; what it knows of it is "
            f"{_listed(labels)}."
        )
        return UnknownSoundWarning(sentence, text, labels)
    if near := vocabulary.nearest(text):
        known = f"The nearest of the sounds that it knows: {_listed(near)}."
    elif len(vocabulary.labels) <= _FEW:
        known = f"It knows {_listed(vocabulary.labels)}."
    else:
        known = f"`asteroid-bimodal models` lists the {len(vocabulary.labels)} sounds it knows."
    sentence = f"This model does not know {text!r}: what it finds is found by chance. {known}"
    return UnknownSoundWarning(sentence, text, near)


def _unread(text: str, unread: Callable[[str], list[str]]) -> UnknownSoundWarning | None:
    phrase = PROMPT.sub("", text, count=1)
    words, unknown = phrase.split(), unread(phrase)
    if len(unknown) == len(words) or not _has_letter(phrase):
        sentence = (
            f"The text encoder knows no word of {phrase!r}: what it finds is found by chance. Use "
            "words that the model was trained with."
        )
    elif unknown := [word for word in unknown if len(word) > _SHORT]:
        sentence = f"The text encoder does not know {_listed(unknown)} of {phrase!r}."
    else:
        return None
    return UnknownSoundWarning(sentence, text)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))


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
