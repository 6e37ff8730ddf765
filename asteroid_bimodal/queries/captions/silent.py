"""What of a caption is no phrase: states, changes of level, endings, pronouns, function words."""

from __future__ import annotations

from collections.abc import Iterable

from . import lexicon as lex
from .clause import Clause
from .pronouns import is_weather

_LEADING = frozenset("and or but nor by of then with while as to so is are was were that".split())
_TRAILING = _LEADING - {"by"} | lex.DETERMINERS - set(
    "her one another each other both some".split()
)


def trim(words: list[str]) -> list[str]:
    """Takes dangling function words off both ends."""
    start, stop = 0, len(words)
    while start < stop and words[start] in _LEADING | {","}:
        start += 1
    while start < stop and words[stop - 1] in _TRAILING | {",", "followed"}:
        stop -= 1
    return words[start:stop]


def is_silent(clause: Clause, known: Iterable[str]) -> bool:
    """Whether a clause names no sound, or only says how one that is `known` goes on.

    Examples:
        >>> is_silent(Clause.of("the siren gets louder".split()), {"siren"})
        True
        >>> is_silent(Clause.of("a siren gets louder".split()), {"engine"})
        False
    """
    words = clause.words
    if words[0] in lex.PRONOUNS:
        return not (is_weather(words) or _is_sounding(clause))
    if clause.verb is None:
        head = words[: next((i for i, w in enumerate(words) if w in {"in", "between"}), None)]
        if words[0] in lex.PREPOSITIONS and not lex.PLACES & set(words[:-1]):
            return not any(map(lex.is_sound, words))  # "in a quiet environment"
        again = words[0] == "the" and len(words) == 2 and words[1] in known
        return again or bool(lex.SILENCES & set(head)) or _is_bare_change(words)
    known_subject = clause.subject[-1] in known and words[0] in {"the", "its"}
    return (clause.shared or known_subject) and _is_state(clause)


def _is_sounding(clause: Clause) -> bool:
    """Whether a pronoun that stands for nobody named makes a sound: "she is talking"."""
    deed = clause.deed
    if clause.words[0] in {"he", "she"}:
        return any(map(lex.is_sound, deed))
    return clause.words[0] == "they" and lex.base_of("".join(deed[:1])) in lex.VOICE_VERBS


def _is_state(clause: Clause) -> bool:
    """Whether a predicate says how the subject is or goes on, not what it sounds like."""
    deed = clause.deed
    lead = clause.words[clause.verb or 0 : len(clause.words) - len(deed)]
    if any(lex.base_of(word) in lex.PHASES for word in [*lead, *deed[:1]]):
        return True
    if not deed or lex.base_of(deed[0]) in lex.SILENT_VERBS:
        return not any(lex.is_sound(w) and w not in lex.MANNER_NOUNS for w in deed[1:])
    return bool(lex.AUXILIARIES & set(lead)) and all(map(lex.is_manner, deed))


def _is_bare_change(words: list[str]) -> bool:
    """Whether a segment is a change without its subject: "getting louder", "fails"."""
    base, rest = lex.base_of(words[0]), words[1:]
    if base in {"start", "begin"} or (base == words[0] and not lex.is_modifier(base)):
        return base in lex.SILENT_VERBS | {"start", "begin"} and all(map(lex.is_manner, rest))
    return base != words[0] and base in lex.SILENT_VERBS and not any(map(lex.is_sound, rest))
