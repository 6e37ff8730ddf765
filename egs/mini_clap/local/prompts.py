"""Texts for sets of instruments or sound events: many ways to say the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
from miniatures.events_captions import RELATIONS, write_caption
from miniatures.events_words import WORDS

from asteroid_bimodal.queries.captions import mixture_caption, phrase_prompt
from asteroid_bimodal.queries.vocabulary import Vocabulary

SINGLE = (
    "{x}",
    "{a}",
    "the {x}",
    "sound of {x}",
    "the sound of the {x}",
    "the sound of {a}",
    "{a} playing",
    "{a} is playing",
    "{x} playing",
    "{x} music",
    "{x} solo",
    "a solo {x}",
    "a solo for {x}",
    "someone plays {a}",
    "someone plays the {x}",
    "a person playing the {x}",
    "a man plays the {x}",
    "a woman playing {a}",
    "a musician plays {x}",
    "a melody on the {x}",
    "music played on {a}",
    "a recording of {a}",
    "this is a sound of {x}",
    "{x} alone",
    "only the {x}",
    "the {x} part",
)
SEVERAL = (
    "{list}",
    "{alist}",
    "{list} playing",
    "{list} playing together",
    "{alist} play together",
    "the sound of {list}",
    "the sound of {alist}",
    "a mixture of {list}",
    "the sounds of {list} together",
    "music for {list}",
    "music with {list}",
    "{list} music",
    "an ensemble of {list}",
    "someone plays the {list}",
    "a recording of {alist}",
)
PAIR = (
    "{x} with {y}",
    "{ax} with {ay}",
    "{x} together with {y}",
    "{x} accompanied by {y}",
    "a duet for {x} and {y}",
    "a duet of {x} and {y}",
    "{x} and {y} duet",
    "{ax} plays while {ay} plays",
    "someone plays the {x} while another plays the {y}",
)
TRIO = ("a trio for {list}", "a trio of {list}", "{list} trio")
EVENTS = (
    "{list}",
    "sound of {list}",
    "the sound of {list}",
    "a recording of {list}",
    "this is a sound of {list}",
    "{list} in the background",
)
SEVERAL_EVENTS = (*EVENTS, "a mixture of {list}", "the sounds of {list} together")
SEVERAL_SOUNDS = (*SEVERAL_EVENTS, "{list} together")
PLAYED = (
    "{x} playing",
    "someone plays the {x}",
    "a solo for {x}",
    "music played on the {x}",
    "a {x} is playing",
)
SHORT_NAMES = {"acoustic guitar": "guitar", "saxophone": "sax"}
# Words of other captions, so that the tokenizer does not spell them letter by letter.
OTHER_WORDS = (
    "a man is speaking while a dog barks in the background",
    "a woman talks and birds chirp as water flows",
    "a car engine is running followed by a loud horn",
    "people are laughing and a crowd is clapping",
    "rain falling on the roof with thunder and wind",
    "a baby cries and then a door is closed",
    "piano drum electric guitar bass harp banjo ukulele trombone bagpipe bassoon oboe pipa guzheng",
    "a bell rings twice and footsteps follow near the street",
)


def describe(
    labels: Sequence[str], rng: random.Random, vocabulary: Vocabulary | None = None
) -> str:
    """Says what sounds, in one of many ways; the recipes' own prompts come often.

    Args:
        labels: 1 to 3 distinct instruments or events.
        rng: the source of the choice.
        vocabulary: other words for the labels; without one, instruments and events are told apart.
    """
    names = list(labels)
    rng.shuffle(names)
    if vocabulary is not None:
        return _describe_sounds(names, rng, vocabulary)
    if rng.random() < 0.35:
        return phrase_prompt(names[0]) if len(names) == 1 else mixture_caption(names)
    if not WORDS.keys().isdisjoint(names):
        return _describe_events(names, rng)
    names = [SHORT_NAMES.get(x, x) if rng.random() < 0.25 else x for x in names]
    template = rng.choice(_templates(len(names)))
    return _fill(template, names)


def _describe_sounds(names: list[str], rng: random.Random, vocabulary: Vocabulary) -> str:
    """A list of words for the labels, or a prompt."""
    words = [rng.choice(vocabulary.words(name)) for name in names]
    if rng.random() < 0.3:
        return phrase_prompt(words[0]) if len(words) == 1 else mixture_caption(words)
    if len(words) == 1 and vocabulary.kind(names[0]) == "instruments" and rng.random() < 0.4:
        return rng.choice(PLAYED).format(x=names[0])
    templates = EVENTS if len(words) == 1 else SEVERAL_SOUNDS
    return rng.choice(templates).format(list=_join(words), x=words[0], y=words[-1])


def _describe_events(names: list[str], rng: random.Random) -> str:
    """A natural caption, or a list of labels; instruments among events are just named."""
    if rng.random() < 0.7 and WORDS.keys() >= set(names):
        relations = rng.choices(list(RELATIONS), k=len(names) - 1)
        return write_caption(names, relations, np.random.default_rng(rng.getrandbits(40)))
    templates = EVENTS if len(names) == 1 else SEVERAL_EVENTS
    return rng.choice(templates).format(list=_join(names))


def corpus(labels: Sequence[str], vocabulary: Vocabulary | None = None) -> Iterator[str]:
    """Yields texts to train a tokenizer on.

    Args:
        labels: all instruments or events.
        vocabulary: other words for them.
    """
    rng = random.Random(0)
    for size in (1, 2, 3):
        for _ in range(1000):
            yield describe(rng.sample(list(labels), size), rng, vocabulary)
    for text in OTHER_WORDS:
        yield from [text] * 20


def _templates(size: int) -> tuple[str, ...]:
    return {1: SINGLE, 2: SEVERAL + PAIR, 3: SEVERAL + TRIO}[size]


def _fill(template: str, names: list[str]) -> str:
    with_article = [f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in names]
    return template.format(
        x=names[0],
        a=with_article[0],
        ax=with_article[0],
        y=names[-1],
        ay=with_article[-1],
        list=_join(names),
        alist=_join(with_article),
    )


def _join(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
