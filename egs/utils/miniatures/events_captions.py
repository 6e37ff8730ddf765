"""Natural captions of scenes: events that sound together or one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .events_words import WORDS

# {c} is a clause ("a dog barks"), {n} a noun phrase ("the barking of a dog").
BEGINNINGS = ("{c}", "{c}", "{c}", "{n}", "{n} can be heard")
TOGETHER = (
    " while {c}",
    " as {c}",
    " and {c}",
    ", and {c} at the same time",
    " whilst {c}",
    " with {n}",
    " along with {n}",
    " together with {n}",
    " accompanied by {n}",
    " alongside {n}",
    " and {n}",
)
BEHIND = (
    " with {n} in the background",
    " while {c} in the background",
    " as {c} in the distance",
    " and {c} in the background",
    " amidst {n}",
    " over {n}",
)
THEN = (
    " followed by {n}",
    ", followed by {n}",
    ", then {c}",
    " and then {c}",
    " before {c}",
    ". Then {c}",
    ", after which {c}",
    " and later {c}",
    ", and finally {c}",
    " until {c}",
    ", then {n}",
    " closely followed by {n}",
)
_VAGUE = re.compile(r",? (and|then|with|over)\b")
RELATIONS = {"together": TOGETHER, "behind": BEHIND, "then": THEN}


def write_caption(labels: Sequence[str], relations: Sequence[str], rng: np.random.Generator) -> str:
    """Writes a caption of events in their order.

    Args:
        labels: of the events, one or more.
        relations: of each event but the first to the one before it, of `RELATIONS`.
        rng: the source of all choices.

    Raises:
        ValueError: when the numbers of labels and relations do not fit.

    Examples:
        >>> rng = np.random.default_rng(3)
        >>> write_caption(["dog barking", "raining"], ["together"], rng)
        'The barking of a dog can be heard alongside rain falling'
    """
    if len(labels) != len(relations) + 1:
        raise ValueError(
            f"Expected a relation for every label but the first, received {len(labels)} labels and "
            f"{len(relations)} relations."
        )
    template = str(rng.choice(BEGINNINGS))
    text = _fill(template, labels[0], rng, rich=True)
    for label, relation in zip(labels[1:], relations, strict=True):
        # "The barking of a dog and ..." could be the barking of both: a noun needs a clear cut.
        clear = [t for t in RELATIONS[relation] if "{c}" in template or not _VAGUE.match(t)]
        template = str(rng.choice(clear))
        text += _fill(template, label, rng, rich=relation != "behind")
    return text[0].upper() + text[1:] + ("." if rng.random() < 0.2 else "")


def _fill(template: str, label: str, rng: np.random.Generator, rich: bool) -> str:
    words = WORDS[label]
    clause = str(rng.choice(words.clauses))
    if rich and rng.random() < 0.25:
        clause += f" {rng.choice(words.adverbs)}"
    return template.format(c=clause, n=rng.choice(words.nouns))
