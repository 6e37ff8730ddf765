"""Segmentation of captions: their normal form, and cuts at connectives."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_END = r"(?= ?(?:[,.;]|$|(?:and|then|but|while|as|with|followed|before|after)\b))"
# Verbs that set one sound beside another: "a beep is followed by", "a beep precedes".
_BESIDE_BY = """followed following proceeded preceded succeeded accompanied joined mixed combined
coupled paired interrupted replaced overlapped overlaid masked drowned topped intermixed
intermingled interspersed punctuated"""
_BESIDE = (
    r"follow(?:s|ed)?(?: closely| shortly| up)?(?: as)?",
    r"precedes?|accompan(?:y|ies|ied)|(?:following|preceding)(?= (?:an?|the|some) )",
    r"(?<!with )(?<!an )(?<!the )accompanying|overlap(?:s|ped|ping)?(?: with| over)?",
    r"drown(?:s|ing)? out|lead(?:s|ing)? (?:up )?to|gives? way to|giving way to",
)
_ADVERBS = r"(?:(?:quickly|immediately|closely|shortly|nearly|often|soon|then|also|in turn) )*"
# Where a sound takes place, if that is a sound as well: "in the rain", but not "on gravel".
_WEATHER = r"(?:the |an? )?(?:\w+ )?(?:rain|winds?|storm|thunderstorm|rainstorm)\b(?! \w+)"
# "a horse trots it neighs" is two sentences.
_RUN_ON = (
    r"(?<=\w )(?<!of )(?<!that )(?<!what )(?<!as_if )(?<!as_though )"
    r"(?=(?:(?:he|she|they) |it (?:is|was|(?!\w*wards)\w+[^aus]s)\b))"
)
# How a connective relates two segments. STOP ends a sentence, LINK is "while" and its like, INTRO
# ("followed by") is a link with a noun phrase after it, so that no subject is shared across it.
COORD, COMMA, THEN, LINK, INTRO, STOP = range(6)
_KINDS = {
    STOP: (r"[.;:!?]+(?!\d)|--+",),
    INTRO: (
        rf"(?:which |that )?{_ADVERBS}(?:(?:is|are|was|were) (?:\w+ly )?)?{_ADVERBS}(?:"
        rf"(?:{'|'.join(_BESIDE_BY.split())})(?: in| out| up| \w+ly)? (?:by|with)"
        rf"|{'|'.join(_BESIDE)})",
        r"along with|together with|alongside|as well as|in addition to|besides|amidst?|then by",
        rf"with|over(?!{_END})|during(?! which)|(?:in|through)(?= {_WEATHER})",
    ),
    LINK: (
        r"(?:before and after|just before|just after|right before|right after|shortly before",
        r"shortly after|after|before) ?(?:that|which)?|(?:during|after) which(?: time)?",
        r"at which point|while|whilst|whereas|as soon as|as|when|whenever|until|till|because|since",
        _RUN_ON,
    ),
    THEN: (r"then|next(?! to)|but",),
    COORD: (r"and|or|plus|nor",),
    COMMA: (r",(?!\d)",),
}
WEAK = frozenset({"with", "over", "during"})  # Cut only where a sound follows.
_CUT = re.compile(
    "|".join(
        rf"(?P<k{kind}>{body})" if kind in (STOP, COMMA) else rf"(?P<k{kind}>\b(?:{body})\b)"
        for kind, body in ((kind, "|".join(parts)) for kind, parts in _KINDS.items())
    )
)

# Fixed pairs and phrases that hold a connective; they are glued with "_" and come apart at the end.
_FIXED = re.compile(
    r"\b(?:on and off|off and on|here and there|back and forth|up and down"
    r"|over and over(?: again)?|in and out"
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
    rf"|as well(?! as)|in between|too{_END}|(?:concurrent|over (?:it|him|her|them)){_END})\b"
)
# Predicates that say only that there is a sound; _SOUNDS stands for them until segments are cut.
_SOUNDS = "|"
_EMPTY = re.compile(
    r"\b(?<!what )(?:(?:is|are|was|were|being) )?(?:occurs?|occurr(?:ing|ed)|happen(?:s|ing|ed)?"
    r"|ensues?|ensuing|tak(?:es?|ing) place)\b"
    r"|\b(?:can|could|may) be heard\b|\b(?:is|are|was|were) (?:also )?(?:heard|present|audible)\b"
)
_THERE = re.compile(
    r"\bthere(?: is| are|'s| was| were)\b|\b(?:we|you|one|i) (?:can )?hears?\b"
    r"|^here (?:is|are|comes?)\b|\bthis (?:is|sounds like)\b"
)
_PUNCTUATION = str.maketrans("‘’ʼ`–—，。、！？；：", "''''--,.,!?;:", "\ufe0e\ufe0f")
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"})
_WORD_EDGES = re.compile(r"(?<!\w)'+|(?<![s\w])'+|'+(?!\w)(?<!s')")
_SYMBOL = re.compile(r"[\x00-\x1f\x7f\"#$%()*+/<=>@\[\\\]^`{|}~]")


def normalise(text: str) -> str:
    """Lower case, plain quotes and dashes, no symbols, no words that only say when.

    Fixed phrases such as "on and off" become one word, "on_and_off"; "occurs" and its like, a "|".

    Examples:
        >>> normalise("“Beeps” ON and OFF, again!")
        'beeps on_and_off , !'
        >>> normalise("There is hissing, and rustling occurs")
        'hissing , and rustling |'
    """
    text = unicodedata.normalize("NFKC", text.translate(_PUNCTUATION)).lower()
    text = re.sub(r"\b(?:[a-z]\.){2,}", lambda found: found[0].replace(".", ""), text)  # p.a.
    text = re.sub(r"\b(it|he|she)'s\b", r"\1 is", text)
    text = text.replace("&", " and ").replace(" - ", " -- ").replace("_", " ")
    text = "".join(c if c.isascii() or unicodedata.category(c) in _LETTERS else " " for c in text)
    text = _WORD_EDGES.sub("", _SYMBOL.sub(" ", text))
    text = re.sub(r",(?!\d)", " , ", text)
    text = " ".join(text.split())
    text = _FIXED.sub(lambda found: found[0].replace(" ", "_"), text)
    text = _TEMPORAL.sub(" ", text)
    return " ".join(_EMPTY.sub(f" {_SOUNDS} ", _THERE.sub(" ", text)).split())


class Segment(NamedTuple):
    """Words between two connectives, with the connective before them and its kind.

    One that says itself that it sounds ("rustling occurs") is `whole`: it has no other subject.
    """

    kind: int
    link: str
    words: list[str]
    whole: bool = False


def split_segments(text: str) -> list[Segment]:
    """Cuts a normal form at its connectives.

    Of connectives in a row, as in ", and then", the one that says most counts.

    Examples:
        >>> [segment.words for segment in split_segments("a man speaks , and then a dog barks")]
        [['a', 'man', 'speaks'], ['a', 'dog', 'barks']]
    """
    segments: list[Segment] = []
    kind, link, start = COORD, "", 0
    for cut in [*_CUT.finditer(text), None]:
        words = text[start : cut.start() if cut else None].split()
        if spoken := [word for word in words if word != _SOUNDS]:
            segments.append(Segment(kind, link, spoken, spoken != words))
        if cut:
            start = cut.end()
            found = int(str(cut.lastgroup)[1:])
            if spoken or found >= kind:
                kind, link = found, cut[0]
            elif (kind, found) == (COMMA, COORD):  # ", and"
                link = f"{link} {cut[0]}"
    return segments
