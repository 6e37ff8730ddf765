"""A small grammar of sound captions: from segments to phrases.

A caption is cut into *segments* at its connectives. Reading from left to right, each segment then
belongs to the clause before it ("a man | and | woman speaking", "beeps | with | a pattern"), or
shares its subject ("a man speaks | and | laughs"), or shares its object ("hissing | and | buzzing
of insects"), or is a clause of its own. What says *when* and not *what* is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from . import lexicon as lex
from .segmentation import (
    COMMA,
    COORD,
    INTRO,
    LINK,
    STOP,
    THEN,
    WEAK,
    Segment,
    split_segments,
)

_REACH = 40  # A subject and its verb lie this close together: keeps long texts linear.
_PLAIN_VERBS = lex.VERBS - lex.SOUND_NOUNS - {"idle"}  # Not nouns or adjectives as well.


@dataclass
class Clause:
    """One source and what it does; `verb` is the index of the predicate, None in a noun phrase."""

    words: list[str]
    verb: int | None
    shared: bool = False

    @classmethod
    def of(cls, words: list[str], shared: bool = False) -> Clause:
        """The clause that these words make."""
        return cls(words, find_verb(words), shared)

    @property
    def subject(self) -> list[str]:
        """The words before the predicate."""
        return self.words[: self.verb] if self.verb else []


def find_verb(words: list[str]) -> int | None:
    """Index of the predicate of the first subject in `words`; None in a noun phrase.

    Examples:
        >>> find_verb("a sewing machine is running".split())
        3
        >>> find_verb("heavy breathing".split())
    """
    noun = False
    for i, word in enumerate(words[:_REACH]):
        if noun and _is_predicate(words, i):
            return i
        if word in {"that", "which", "who"}:
            noun = False
        elif not (lex.is_modifier(word) or word in lex.FUNCTION_WORDS or lex.is_gerund(word)):
            noun = True
    # "a cat caterwauls": after "a", a last word in -s is a verb, known or not.
    last = words[-1]
    bare = words[0] in {"a", "an"} and 2 < len(words) < _REACH and "of" not in words
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
            following in _PLAIN_VERBS
            or following in lex.BE
            or following in lex.THIRD_OF
            or (named and lex.is_gerund(following))
        )
        return not plural_noun
    if word in _PLAIN_VERBS:
        return lex.is_plural(words[:i]) and following not in lex.THIRD_OF
    return word.endswith("ed") and word[:-2] + "ing" in lex.GERUND_OF


def parse(text: str) -> list[str]:
    """Single-source phrases of a normal form, in the order of the text.

    Examples:
        >>> parse("a man speaks and then laughs")
        ['a man speaks', 'a man laughs']
        >>> parse("hissing and buzzing of insects with a man and woman speaking")
        ['hissing of insects', 'buzzing of insects', 'a man and woman speaking']
    """
    clauses: list[Clause] = []
    segments = split_segments(text)
    for segment, after in zip_longest(segments, segments[1:]):
        kind, link, words = segment
        left = clauses[-1] if clauses else None
        if left and _belongs(left, segment, after):
            listed = lex.is_modifier(words[0]) or lex.is_modifier(left.words[-1])
            joint = {COMMA: [","] * listed, THEN: []}.get(kind, link.split())
            left.words.extend(joint + words)
            left.verb = find_verb(left.words)
            continue
        if left and kind in (COORD, COMMA):
            clauses[-1], words = _share_object(left, words)
        clauses.append(_share_subject(clauses, kind, words))
    return _clean(clauses)


def _belongs(left: Clause, segment: Segment, after: Segment | None) -> bool:
    """Whether a segment goes on with the clause before it."""
    kind, link, words = segment
    if link in WEAK:
        return not _starts_sound(left, link, _with_joint_subject(words, after))
    if kind not in (COORD, COMMA):  # "the dog | then | barks"
        return kind == THEN and left.verb is None and words[0] in lex.THIRD_OF
    last, first = left.words[-1], words[0]
    if lex.is_modifier(last) and left.verb is None:  # "a deep | loud engine"
        return True
    if left.verb is None and lex.is_gerund(last) and left.words[-2:-1] in (["a"], ["an"], ["the"]):
        return len(words) > 1 and words[1] not in lex.FUNCTION_WORDS  # "an idling | revving engine"
    if all(lex.is_modifier(w) for w in words) and not lex.DETERMINERS & set(words):
        return True  # "loudly | quickly"
    verb = find_verb(words)
    if first in lex.PREPOSITIONS and verb is None:
        return True
    if left.verb is None:
        return _is_joint_subject(left.words, words)
    tail = left.words[left.verb + 1 : left.verb + _REACH]
    has_object = any(not lex.is_modifier(w) and w not in lex.FUNCTION_WORDS for w in tail)
    return (
        verb is None
        and has_object
        and not lex.PLACES & set(tail)
        and not any(lex.is_sound(w) for w in words + tail[:1])
        and _is_animate(tail) == _is_animate(words)
    )


def _is_joint_subject(left: list[str], words: list[str]) -> bool:
    """Whether two noun phrases are one: "a man | woman speaking", "food | oil sizzling"."""
    if lex.is_gerund(left[0]) or left[0] in lex.THIRD_OF or lex.is_sound(left[-1]):
        return False
    if left[-1] in lex.PLACES:
        return False
    left, words = left[-_REACH // 3 :], words[:_REACH]
    both = _is_animate(left), _is_animate(words[: find_verb(words)])
    if find_verb([*left, "and", *words]) is None:
        return all(both)
    return both[0] == both[1]


def _with_joint_subject(words: list[str], after: Segment | None) -> list[str]:
    """The segment, or with the next one where they share a verb: "a man | woman speaking"."""
    if after and after.kind == COORD and find_verb(words) is None:
        if _is_joint_subject(words, after.words):
            return words + after.words
    return words


def _starts_sound(left: Clause, link: str, words: list[str]) -> bool:
    """Whether "with", "over" or "during" brings in another sound."""
    silent = not any(lex.is_sound(w) for w in left.words[-_REACH:])
    if silent and lex.HUMANS & set(left.words[-_REACH:]):  # "a man with a deep voice"
        return False
    if link == "over" and lex.DEVICES & set(words):
        return False
    return any(lex.is_sound(w) for w in words) or bool(lex.PLACES & set(words))


def _share_object(left: Clause, words: list[str]) -> tuple[Clause, list[str]]:
    """Completes "hissing | buzzing of insects" and "the sounds of sheep | cows"."""
    head = left.words.index("of") + 1 if "of" in left.words[:4] else 0
    if left.verb is None and len(words) > 1 and words[1] == "of" and lex.is_sound(words[0]):
        if not head and lex.is_sound(left.words[-1]):
            article = left.words[:1] if left.words[0] == "the" else []
            return Clause.of(left.words + words[1:]), article + words
    sounds = head and left.words[head - 2] in {"sound", "sounds", "noise", "noises"}
    if sounds and find_verb(words) is None and words[0] not in lex.DETERMINERS:
        return left, left.words[:head] + words
    return left, words


def _share_subject(clauses: list[Clause], kind: int, words: list[str]) -> Clause:
    """Gives "laughs" or "he laughs" the subject that it leaves out."""
    if words[0] in lex.PRONOUNS and not _is_weather(words):
        return Clause.of(_antecedent(clauses, words[0]) + words[1:])
    left = clauses[-1] if clauses else None
    if not left or not left.verb or kind in (INTRO, STOP):
        return Clause.of(words)
    k = next((i for i, w in enumerate(words) if not w.endswith("ly")), 0)
    word, following = words[k], words[k + 1] if k + 1 < len(words) else ""
    base, verb = lex.base_of(word), left.words[left.verb]
    auxiliary = [verb] if verb in lex.BE and lex.is_gerund(word) else []
    if lex.is_gerund(word):
        ongoing = auxiliary or lex.is_gerund(verb) or kind == LINK
        free = not following or following in lex.FUNCTION_WORDS or lex.is_modifier(following)
        shared = ongoing and (free or base in lex.TRANSITIVE) and find_verb(words) is None
    elif word in lex.AUXILIARIES:
        shared = True
    else:
        finite = word in lex.THIRD_OF or word in _PLAIN_VERBS
        agrees = kind == THEN or not lex.is_gerund(verb)
        shared = finite and agrees and find_verb(words) is None
    if shared and _fits(left.subject, base):
        return Clause.of(left.subject + auxiliary + words, shared=True)
    return Clause.of(words)


def _fits(subject: list[str], verb: str) -> bool:
    """Whether the subject can do this: people do not clank, engines do not speak."""
    if _is_animate(subject):
        return verb not in lex.THING_VERBS
    return verb not in lex.VOICE_VERBS or bool(lex.VOICES & set(subject))


def _is_animate(words: list[str]) -> bool:
    return any(w in lex.HUMANS or w in lex.ANIMALS for w in words)


def _is_weather(words: list[str]) -> bool:
    """Whether "it" stands for nothing, as in "it is raining" and "it starts to rain"."""
    verb = next((w for w in words[1:] if not _comes_before_verb(w)), "")
    return words[0] == "it" and verb in lex.WEATHER


def _comes_before_verb(word: str) -> bool:
    begins = lex.base_of(word) in {"start", "begin", "continue"}
    return begins or word in lex.AUXILIARIES or word == "to" or word.endswith("ly")


def _antecedent(clauses: list[Clause], pronoun: str) -> list[str]:
    """The last subject that the pronoun can stand for; the pronoun when there is none."""
    for clause in reversed(clauses):
        subject = clause.subject
        human, plural = lex.HUMANS & set(subject), lex.is_plural(subject)
        other = {"he": lex.FEMALE, "she": lex.MALE}.get(pronoun, frozenset())
        fits = human and not plural and not human & other if other else not human
        if subject and (plural if pronoun == "they" else fits):
            return subject
    return [pronoun]


_LEADING = frozenset("and or but nor by of then with while as to so is are was were that".split())
_TRAILING = _LEADING - {"by"} | lex.DETERMINERS - set(
    "her one another each other both some".split()
)


def _trim(words: list[str]) -> list[str]:
    """Takes dangling function words off both ends."""
    start, stop = 0, len(words)
    while start < stop and words[start] in _LEADING | {","}:
        start += 1
    while start < stop and words[stop - 1] in _TRAILING | {",", "followed"}:
        stop -= 1
    return words[start:stop]


def _clean(clauses: list[Clause]) -> list[str]:
    """Phrases of the clauses, without silence, bare endings and repetitions."""
    phrases: dict[tuple[str, ...], str] = {}
    silent: list[str] = []
    known: set[str] = set()
    for clause in clauses:
        words = _trim(clause.words)
        if not words:
            continue
        phrase = " ".join(words).replace(" ,", ",").replace("_", " ")
        ends = clause.verb and lex.base_of(clause.words[clause.verb]) in lex.PHASES
        ends = ends and (clause.shared or (words[0] == "the" and clause.subject[-1] in known))
        if ends or words[-1] == "silence" or phrase in {"stops", "stopping", "which"}:
            silent.append(phrase)
            continue
        key = tuple(lex.base_of(w) for w in words if w not in lex.BE | {"a", "an", "the"})
        phrases.setdefault(key or (phrase,), phrase)
        known.update(key)
    return list(phrases.values()) or silent[:1]
