"""Segmentation of captions: their normal form, and cuts at connectives."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# How a connective relates two segments. STOP ends a sentence, LINK is "while" and its like, INTRO
# ("followed by") is a link with a noun phrase after it, so that no subject is shared across it.
COORD, COMMA, THEN, LINK, INTRO, STOP = range(6)
_KINDS = {
    STOP: r"[.;:!?]+(?!\d)|--+",
    INTRO: r"(?:which )?(?:(?:is|are|was|were) )?"
    r"(?:(?:quickly|immediately|closely|shortly|soon|then|also) )*"
    r"(?:follow(?:ed|s)?(?: closely| shortly)?(?: by| with| as| up by)|proceeded by|preceded by"
    r"|accompanied(?: by| with)?|joined by|mixed with|combined with|interrupted by|replaced by"
    r"|succeeded by)|followed(?= an? )|along with|together with|alongside|as well as|in addition to"
    r"|besides|amidst?|then by|with|over|during",
    LINK: r"(?:before and after|just before|just after|right before|right after|shortly before"
    r"|shortly after|after|before) ?(?:that|which)?|during which|after which|at which point"
    r"|while|whilst|whereas|as soon as|as|when|whenever|until|till|because|since",
    THEN: r"then|next(?! to)|but",
    COORD: r"and|or|plus|nor",
    COMMA: r",(?!\d)",
}
WEAK = frozenset({"with", "over", "during"})  # Cut only where a sound follows.
_CUT = re.compile(
    "|".join(
        rf"(?P<k{kind}>{body})" if kind in (STOP, COMMA) else rf"(?P<k{kind}>\b(?:{body})\b)"
        for kind, body in _KINDS.items()
    )
)

# Fixed pairs and phrases that hold a connective; they are glued with "_" and come apart at the end.
_FIXED = re.compile(
    r"\b(?:on and off|off and on|back and forth|up and down|over and over(?: again)?|in and out"
    r"|again and again|near and far|far and near|now and (?:then|again)|to and fro|open and shut"
    r"|more and more|time after time|one after (?:another|the other)|such as|as if|as though"
    r"|so as to|same as|all over|pots and pans|over and out"
    r"|with (?:each other|one another|it|him|her|them)"
    r"|with (?:his|her|their|its) \w+|(?P<twin>\w+) and (?P=twin))\b"
)
_TEMPORAL = re.compile(
    r"\b(?:once more|once again|(?<!_)again|at the same time|simultaneously|concurrently"
    r"|all the while|meanwhile|afterwards?|subsequently|eventually|finally|suddenly"
    r"|at first|firstly|first(?= (?:a|the)\b)|at (?:last|the end|the beginning|times)"
    r"|near the end|in the end"
    r"|later(?: on)?|soon|immediately|shortly (?:after|there?after)(?= ?(?:[,.;]|$))|thereafter"
    r"|as well(?! as)|in between|too(?= ?(?:[,.;]|$|and|then|while|as)))\b"
)
# Predicates that say only that there is a sound.
_EMPTY = re.compile(
    r"\b(?:(?:is|are|was|were|being) )?(?:occurr(?:ing|ed)|occurs?|ensues?|ensuing|taking place)\b"
    r"|\b(?:can|could|may) be heard\b|\b(?:is|are|was|were) (?:also )?(?:heard|present|audible)\b"
    r"|\bthere(?: is| are|'s| was| were)\b|\b(?:we|you|one|i) (?:can )?hears?\b"
)
_PUNCTUATION = str.maketrans("‘’ʼ`–—，。、！？；：", "''''--,.,!?;:", "\ufe0e\ufe0f")
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"})
_WORD_EDGES = re.compile(r"(?<!\w)'+|(?<![s\w])'+|'+(?!\w)(?<!s')")
_SYMBOL = re.compile(r"[\x00-\x1f\x7f\"#$%()*+/<=>@\[\\\]^`{|}~]")


def normalise(text: str) -> str:
    """Lower case, plain quotes and dashes, no symbols, no words that only say when.

    Fixed phrases such as "on and off" become one word, "on_and_off".

    Examples:
        >>> normalise("“Beeps” ON and OFF, again!")
        'beeps on_and_off , !'
    """
    text = unicodedata.normalize("NFKC", text.translate(_PUNCTUATION)).lower()
    text = text.replace("&", " and ").replace(" - ", " -- ").replace("_", " ")
    text = "".join(c if c.isascii() or unicodedata.category(c) in _LETTERS else " " for c in text)
    text = _WORD_EDGES.sub("", _SYMBOL.sub(" ", text))
    text = re.sub(r",(?!\d)", " , ", text)
    text = " ".join(text.split())
    text = _FIXED.sub(lambda found: found[0].replace(" ", "_"), text)
    return " ".join(_EMPTY.sub(" ", _TEMPORAL.sub(" ", text)).split())


class Segment(NamedTuple):
    """Words between two connectives, with the connective before them and its kind."""

    kind: int
    link: str
    words: list[str]


def split_segments(text: str) -> list[Segment]:
    """Cuts a normal form at its connectives.

    Of connectives in a row, as in ", and then", the one that says most counts.

    Examples:
        >>> [segment.words for segment in split_segments("a man speaks , and then a dog barks")]
        [['a', 'man', 'speaks'], ['a', 'dog', 'barks']]
    """
    segments: list[Segment] = []
    kind, link, start = COORD, "", 0
    for cut in _CUT.finditer(text):
        words = text[start : cut.start()].split()
        start = cut.end()
        if words:
            segments.append(Segment(kind, link, words))
        found = int(str(cut.lastgroup)[1:])
        if words or found >= kind:
            kind, link = found, cut[0]
    words = text[start:].split()
    return [*segments, Segment(kind, link, words)] if words else segments
