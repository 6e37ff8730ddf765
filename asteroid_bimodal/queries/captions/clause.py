"""Clauses: one source and what it does."""

from __future__ import annotations

from dataclasses import dataclass

from . import lexicon as lex

REACH = 40  # A subject and its verb lie this close together: keeps long texts linear.
PLAIN_VERBS = lex.VERBS - lex.SOUND_NOUNS - {"idle"}  # Not nouns or adjectives as well.


@dataclass
class Clause:
    """One source and what it does.

    `verb` is the index of the predicate, None in a noun phrase. The subject of a `shared` clause is
    that of another; a `whole` one is a noun phrase of which the caption says that it sounds.
    """

    words: list[str]
    verb: int | None
    shared: bool = False
    whole: bool = False

    @classmethod
    def of(cls, words: list[str], shared: bool = False, whole: bool = False) -> Clause:
        """The clause that these words make."""
        return cls(words, find_verb(words), shared, whole)

    @property
    def subject(self) -> list[str]:
        """The words before the predicate."""
        return self.words[: self.verb] if self.verb else []

    @property
    def deed(self) -> list[str]:
        """From the main verb on: "fade" of "the siren is slowly starting to fade"."""
        words = self.words[self.verb or 0 :]
        start = 0
        while start < len(words) and _leads_to_verb(*words[start : start + 2]):
            start += 1
        return words[start:]


def is_animate(words: list[str]) -> bool:
    """Whether a person or an animal is among the words."""
    return any(w in lex.HUMANS or w in lex.ANIMALS or w in {"he", "she"} for w in words)


def _leads_to_verb(word: str, following: str = "") -> bool:
    """Whether the word only leads to the main verb, as "is" and "starts" of "starts to fade"."""
    if lex.base_of(word) in {"start", "begin", "continue", "seem"}:
        return following == "to" or lex.is_gerund(following)
    return word in lex.AUXILIARIES or word == "to" or word.endswith("ly")


def find_verb(words: list[str]) -> int | None:
    """Index of the predicate of the first subject in `words`; None in a noun phrase.

    Examples:
        >>> find_verb("a sewing machine is running".split())
        3
        >>> find_verb("heavy breathing".split())
    """
    noun = False
    for i, word in enumerate(words[:REACH]):
        if noun and _is_predicate(words, i):
            return i
        if word in {"that", "which", "who"}:
            noun = False
        elif not (lex.is_modifier(word) or word in lex.FUNCTION_WORDS or lex.is_gerund(word)):
            noun = True
    # "a cat caterwauls": after "a", a last word in -s is a verb, known or not.
    last = words[-1]
    bare = words[0] in {"a", "an"} and 2 < len(words) < REACH and "of" not in words
    if bare and last.endswith("s") and not last.endswith(("ss", "us", "'s")):
        return len(words) - 1 if words[1] not in {"few", "couple", "lot", "dozen"} else None
    return None


def _is_predicate(words: list[str], i: int) -> bool:
    """Whether the word at `i`, which has a noun before it, is a verb of that noun."""
    word, following = words[i], words[i + 1] if i + 1 < len(words) else ""
    if words[i - 1] in {"to", "a", "an", "the", "some", "its", "his", "her"}:
        return False
    if word in lex.AUXILIARIES:
        return True
    if lex.is_gerund(word):
        before = words[i - 1]
        attributive = lex.is_modifier(before) and not before.endswith("ly")
        return not attributive and before not in lex.PREPOSITIONS - {"up", "down", "off", "out"}
    if word in lex.THIRD_OF:
        named = word in {"waves", "flies", "drops", "brakes", "steps", "saws", "files", "calls"}
        plural_noun = (
            following in PLAIN_VERBS
            or following in lex.BE
            or following in lex.THIRD_OF
            or (named and lex.is_gerund(following))
        )
        return not plural_noun
    if word in PLAIN_VERBS:
        return lex.is_plural(words[:i]) and following not in lex.THIRD_OF
    return lex.is_participle(word) and word.endswith("ed") and word not in lex.ADJECTIVES
