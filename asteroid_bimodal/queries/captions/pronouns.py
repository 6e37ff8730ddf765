"""What a pronoun stands for in a caption."""

from __future__ import annotations

from . import lexicon as lex
from .clause import REACH, Clause


def antecedent(clauses: list[Clause], pronoun: str) -> list[str] | None:
    """The last noun that the pronoun can stand for: a subject, or else the noun just before.

    Examples:
        >>> antecedent([Clause.of("a man walks a dog".split())], "he")
        ['a', 'man']
        >>> antecedent([Clause.of("the roar of an engine".split())], "it")
        ['an', 'engine']
    """
    subjects = [clause.subject for clause in reversed(clauses[-REACH:]) if clause.subject]
    before = last_noun_phrase(clauses[-1]) if clauses else []
    nearest = pronoun in lex.RELATIVES
    for noun in [before, *subjects] if nearest else [*subjects, before]:
        if noun and (nearest or _agrees(noun, pronoun)):
            return noun
    return None


def last_noun_phrase(clause: Clause) -> list[str]:
    """The noun phrase that ends a clause; empty where it is the name of a sound.

    Examples:
        >>> last_noun_phrase(Clause.of("a man puts food into a hot pan".split()))
        ['a', 'hot', 'pan']
    """
    words = clause.words
    last = len(words) - 1
    if lex.is_manner(words[last]):
        return []
    if lex.is_sound(words[last]) and words[last] not in lex.SOUND_SOURCES:
        return []
    start = last
    while start > 0 and words[start - 1] not in lex.PREPOSITIONS:
        if words[start] in lex.DETERMINERS or start - 1 == clause.verb:
            break
        start -= 1
    return words[start:]


def is_weather(words: list[str]) -> bool:
    """Whether "it" stands for nothing, as in "it is raining" and "it starts to rain"."""
    deed = Clause(words, 1).deed
    return words[0] == "it" and bool(deed) and deed[0] in lex.WEATHER


def _agrees(noun: list[str], pronoun: str) -> bool:
    people, plural = lex.HUMANS & set(noun), lex.is_plural(noun)
    if pronoun == "they":
        return plural
    if pronoun == "it":
        return not people and not plural
    other = lex.FEMALE if pronoun == "he" else lex.MALE
    return bool(people) and not plural and not people & other
