"""A small grammar of sound captions: from segments to phrases.

A caption is cut into *segments* at its connectives. Reading from left to right, each segment then
belongs to the clause before it ("a man | and | woman speaking", "beeps | with | a pattern"), or
shares its subject ("a man speaks | and | laughs"), or shares its object ("hissing | and | buzzing
of insects"), or is a clause of its own. What says *when* and not *what* is dropped.
"""

from __future__ import annotations

from itertools import zip_longest

from . import lexicon as lex
from .clause import PLAIN_VERBS, REACH, Clause, find_verb, is_animate
from .pronouns import antecedent, is_weather
from .segmentation import COMMA, COORD, INTRO, LINK, STOP, THEN, WEAK, Segment, split_segments
from .silent import is_silent, trim


def parse(text: str) -> list[str]:
    """Single-source phrases of a normal form, in the order of the text.

    Examples:
        >>> parse("a man speaks and then laughs")
        ['a man speaks', 'a man laughs']
        >>> parse("hissing and buzzing of insects with a man and woman speaking")
        ['hissing of insects', 'buzzing of insects', 'a man and woman speaking']
    """
    clauses: list[Clause] = []
    segments = _with_shared_predicates(_split_run_ons(split_segments(text)))
    for segment, after in zip_longest(segments, segments[1:]):
        kind, words = segment.kind, segment.words
        left = clauses[-1] if clauses else None
        if left and words[0] in lex.PRONOUNS and not words[1:]:  # "it | is followed by"
            continue
        if left and _belongs(left, segment, after):
            left.words.extend(_joint(segment) + words)
            left.verb = find_verb(left.words)
            continue
        if left and kind in (COORD, COMMA):
            clauses[-1], words = _share_object(left, words)
        if segment.whole and not (left and kind == COORD and _is_named_sound(left)):
            clauses.append(Clause.of(words, whole=True))
        else:
            clauses.append(_share_subject(clauses, kind, words))
    return _clean(clauses)


def _split_run_ons(segments: list[Segment]) -> list[Segment]:
    """Cuts "a man speaks | a woman laughs" before the second subject, where no connective is."""
    split: list[Segment] = []
    for segment in segments:
        words = segment.words
        start = next((i for i in range(2, min(len(words), REACH)) if _is_run_on(words, i)), None)
        if start:
            split.append(segment._replace(words=words[:start], whole=False))
            segment = Segment(STOP, "", words[start:], segment.whole)
        split.append(segment)
    return split


def _is_run_on(words: list[str], start: int) -> bool:
    """Whether a clause with a subject of its own starts within a clause."""
    starts = words[start] in lex.DETERMINERS - {"that"}
    if not starts or words[start - 1] in lex.FUNCTION_WORDS | lex.RELATIVES:
        return False
    after = words[start : start + 5]
    subject = after[: find_verb(after)]
    own = subject != after and not lex.PREPOSITIONS & set(subject) and is_animate(subject)
    return own and find_verb(words[:start]) is not None


def _with_shared_predicates(segments: list[Segment]) -> list[Segment]:
    """In "rustling | and | thumping occur", both occur."""
    for k in range(len(segments) - 1, 0, -1):
        listed = segments[k].whole and segments[k].kind == COORD != segments[k - 1].kind
        if listed and find_verb(segments[k - 1].words) is None:
            segments[k - 1] = segments[k - 1]._replace(whole=True)
    return segments


def _is_named_sound(clause: Clause) -> bool:
    """Whether a clause is the name of a sound, as "metal clanking" of "metal clanking occurs"."""
    gerund_ends = clause.verb == len(clause.words) - 1 and lex.is_gerund(clause.words[-1])
    return gerund_ends and not is_animate(clause.words)


def _joint(segment: Segment) -> list[str]:
    """The words that join a segment to the clause that it goes on with."""
    kind, link, words, _ = segment
    if kind == COMMA:
        return [","]
    if kind == THEN:  # "the dog | then | barks", "revs up | then | down"
        return [] if words[0] in lex.THIRD_OF else ["and"]
    return link.split() if kind == COORD or link in WEAK else []


def _belongs(left: Clause, segment: Segment, after: Segment | None) -> bool:
    """Whether a segment goes on with the clause before it."""
    kind, link, words, _ = segment
    if words[0] in lex.PRONOUNS:
        return False
    if link in WEAK:
        return not _starts_sound(left, link, _with_joint_subject(words, after))
    if kind == THEN and left.verb is None and words[0] in lex.THIRD_OF:  # "the dog | then | barks"
        return not lex.is_plural(left.words) and lex.base_of(words[0]) not in lex.SILENT_VERBS
    if kind in (COORD, COMMA, THEN, LINK) and _is_manner(words):  # "loudly | then | quietly"
        begins_noun = after and after.kind == COMMA and not words[-1].endswith("ly")
        return not begins_noun or _is_unfinished(left)  # "cans | and | loud | , | long burps"
    if kind not in (COORD, COMMA):
        return False
    if _is_unfinished(left) and words[0] not in lex.THIRD_OF:
        adverb = left.words[-1].endswith("ly") or left.words[-1] in lex.MANNER_NOUNS
        return not (adverb and words[0] in lex.DETERMINERS)
    verb = find_verb(words)
    if words[0] in lex.PREPOSITIONS and verb is None:
        return not lex.PLACES & set(words[:-1])  # "in the background a bell" is no place alone
    if link == "or" and None in (left.verb, verb):  # "a river | waterfall": one sound, in two words
        return True
    if left.verb is None:
        return _continues_noun(left, segment, after)
    return verb is None and _continues_object(left, words)


def _continues_noun(left: Clause, segment: Segment, after: Segment | None) -> bool:
    """Whether a segment is a part of the subject, of which no verb has come yet."""
    words, gerund = segment.words, lex.is_gerund(left.words[-1])
    if left.whole:
        return False
    if gerund and left.words[-2:-1] in (["a"], ["an"], ["the"]):  # "an idling | revving engine"
        return len(words) > 1 and not lex.FUNCTION_WORDS & set(words[:2])
    listed = find_verb(words) is None and not lex.is_sound(words[-1]) and _closes_list(after)
    if segment.kind == COMMA and not listed and "," not in left.words:
        return False
    return _is_joint_subject(left.words, words)


def _continues_object(left: Clause, words: list[str]) -> bool:
    """Whether a noun is one more object, as "fork" in "a man uses a knife | fork"."""
    tail = left.deed[1:REACH]
    has_object = any(not lex.is_modifier(w) and w not in lex.FUNCTION_WORDS for w in tail)
    return (
        has_object
        and not lex.PLACES & set(tail)
        and lex.base_of(words[0]) not in lex.SILENT_VERBS
        and not any(lex.is_sound(w) for w in words + tail[:1])
        and is_animate(tail) == is_animate(words)
    )


def _is_manner(words: list[str]) -> bool:
    """Whether the words only say how: "very loudly", "back up", "softer the entire time"."""
    named = (lex.MANNER_NOUNS | lex.PLACES) & set(words) or not lex.DETERMINERS & set(words)
    return bool(named) and all(map(lex.is_manner, words)) and words[0] not in lex.MANNER_NOUNS


def _is_unfinished(clause: Clause) -> bool:
    """Whether a clause breaks off at a modifier: "a deep", "speaks in a low", "is loudly"."""
    last, noun_phrase = clause.words[-1], clause.verb is None and not clause.whole
    open_ended = noun_phrase or not clause.deed or clause.words[-2:-1] in (["a"], ["an"])
    return open_ended and (lex.is_modifier(last) or (last in lex.MANNER_NOUNS and noun_phrase))


def _closes_list(segment: Segment | None) -> bool:
    """Whether a segment is the last of a list: ", b | and c"."""
    return segment is not None and (segment.kind == COORD or segment.link.endswith("and"))


def _is_joint_subject(left: list[str], words: list[str]) -> bool:
    """Whether two noun phrases are one: "a man | woman speaking", "food | oil sizzling"."""
    left, words = left[-REACH // 3 :], words[:REACH]
    if lex.is_gerund(left[0]) or left[0] in lex.THIRD_OF:
        return False
    if lex.is_sound(left[-1]) or left[-1] in lex.PLACES:
        return False
    if any(map(lex.is_sound, left)):  # "laughter of a man | woman" is one, "a siren | horn" is two
        return is_animate(left[-2:]) and is_animate(words) and find_verb(words) is None
    both = is_animate(left), is_animate(words[: find_verb(words)])
    if find_verb([*left, "and", *words]) is None:
        return all(both)
    return both[0] == both[1]


def _with_joint_subject(words: list[str], after: Segment | None) -> list[str]:
    """The segment, with the next one where they share a verb or noun: "a man | woman speaking"."""
    if after and after.kind in (COORD, COMMA) and lex.is_modifier(words[-1]):
        return words + after.words
    if after and after.kind == COORD and find_verb(words) is None:
        if _is_joint_subject(words, after.words):
            return words + after.words
    return words


def _starts_sound(left: Clause, link: str, words: list[str]) -> bool:
    """Whether "with", "over" or "during" brings in another sound."""
    silent = not any(lex.is_sound(w) for w in left.words[-REACH:])
    if silent and lex.HUMANS & set(left.words[-REACH:]):  # "a man with a deep voice"
        return False
    if link == "over" and lex.DEVICES & set(words):
        return False
    if left.verb and words[-1] in lex.TONES and all(map(lex.is_modifier, words[:-1])):
        return False  # "speaks with a deep voice"
    if left.verb is None and left.words[-1] in lex.MACHINES and lex.PARTS & set(words[:4]):
        return False  # "a truck with a loud engine"
    return any(lex.is_sound(w) for w in words) or bool(lex.PLACES & set(words))


def _share_object(left: Clause, words: list[str]) -> tuple[Clause, list[str]]:
    """Completes "hissing | buzzing of insects" and "the sounds of sheep | cows"."""
    head = left.words.index("of") + 1 if "of" in left.words[:4] else 0
    link = "".join(words[1:2])
    if left.verb is None and link in {"of", "from"} and lex.is_sound(words[0]):
        shares = lex.is_sound if link == "of" else lex.is_deed
        if not head and shares(left.words[-1]):
            article = left.words[:1] if left.words[0] == "the" else []
            return Clause.of(left.words + words[1:]), article + words
    sounds = head and left.words[head - 2] in {"sound", "sounds", "noise", "noises"}
    if sounds and find_verb(words) is None and words[0] not in lex.DETERMINERS:
        return left, left.words[:head] + words
    return left, words


def _share_subject(clauses: list[Clause], kind: int, words: list[str]) -> Clause:
    """Gives "laughs" or "he laughs" the subject that it leaves out."""
    if words[0] in lex.PRONOUNS and not is_weather(words):
        noun = antecedent(clauses, words[0])
        return Clause.of((noun or words[:1]) + words[1:], shared=noun is not None)
    left = clauses[-1] if clauses else None
    if not left or not left.verb or kind in (INTRO, STOP):
        return Clause.of(words)
    start = next((i for i, w in enumerate(words) if not w.endswith("ly")), 0)
    verb, said = words[start:], left.words[left.verb]
    if not _is_next_verb(verb, said, kind) or not _fits(left.subject, verb):
        return Clause.of(words)
    bare = lex.is_gerund(verb[0]) or (lex.is_participle(verb[0]) and verb[0] not in PLAIN_VERBS)
    auxiliary = [said] if bare and said in lex.BE else []
    return Clause(left.subject + auxiliary + words, left.verb, shared=True)


def _is_next_verb(words: list[str], said: str, kind: int) -> bool:
    """Whether words start with another verb of the subject whose verb was `said`."""
    word, following = words[0], "".join(words[1:2])
    if word in lex.AUXILIARIES and not lex.is_gerund(word):
        return True
    if _is_finite(words, said):
        sure = kind == THEN or following == "to" or following in lex.OBJECT_STARTS
        goes_on = following in (lex.OBJECT_STARTS | lex.PREPOSITIONS) - {"of"}
        rest = words[1:] if goes_on else words
        return (sure or not lex.is_gerund(said)) and (not rest or find_verb(rest) is None)
    free = not following or following in lex.FUNCTION_WORDS or lex.is_modifier(following)
    if lex.is_participle(word):
        return free and find_verb(words) is None
    ongoing = said in lex.BE or lex.is_gerund(said) or kind == LINK
    takes_object = free or lex.base_of(word) in lex.TRANSITIVE
    return lex.is_gerund(word) and ongoing and takes_object and find_verb(words) is None


def _is_finite(words: list[str], said: str) -> bool:
    """Whether words start with a finite verb, known or as in "a toddler cries | stamps a foot"."""
    word = words[0]
    if word in lex.THIRD_OF or word in PLAIN_VERBS:
        return True
    unknown = word.endswith("s") and not word.endswith(("ss", "us", "'s"))
    return unknown and words[1:2] != [] and words[1] in lex.OBJECT_STARTS and said in lex.THIRD_OF


def _fits(subject: list[str], words: list[str]) -> bool:
    """Whether the subject can do this: people clank pans, engines do not speak."""
    verb, following = lex.base_of(words[0]), "".join(words[1:2])
    if not is_animate(subject):
        return verb not in lex.VOICE_VERBS or bool(lex.VOICES & set(subject))
    described = following in lex.FUNCTION_WORDS or lex.is_modifier(following)
    has_object = following and not described and not lex.is_sound(following)
    return verb not in lex.THING_VERBS or has_object or following in lex.OBJECT_STARTS


def _clean(clauses: list[Clause]) -> list[str]:
    """Phrases of the clauses, without what names no sound and without repetitions."""
    phrases: dict[tuple[str, ...], str] = {}
    silent: list[str] = []
    known: set[str] = set()
    for clause in clauses:
        words = trim(clause.words)
        if not words:
            continue
        phrase = " ".join(words).replace(" ,", ",").replace("_", " ")
        if is_silent(clause if words == clause.words else Clause.of(words, clause.shared), known):
            silent.append(phrase)
            continue
        key = tuple(lex.base_of(w) for w in words if w not in lex.BE | {"a", "an", "the"})
        phrases.setdefault(key or (phrase,), phrase)
        known.update(key)
    return list(phrases.values()) or silent[:1]
