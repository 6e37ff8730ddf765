"""From a caption or labels to single-source phrases and prompts.

Phrases are lower case, names included: captions mark names unreliably, and equal phrases should be
equal texts. Prompts made from labels are the exception; they stay as the template writes them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from .grammar import parse
from .segmentation import normalise

PHRASE_TEMPLATE = "The sound of {}"
MIXTURE_TEMPLATE = "The sound mixture of {}"
_MIXTURE = re.compile(MIXTURE_TEMPLATE.format(r"(.+?)\s*\.?"), re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class PhraseAllocation:
    """A fixed number P of phrases that stands for all phrases of one mixture.

    Attributes:
        phrases: P phrases.
        weights: (P,) float, one over how often the phrase is among the P.
        unasked: how many phrases of the mixture are not among the P.
    """

    phrases: list[str]
    weights: torch.Tensor
    unasked: int

    @property
    def complete(self) -> bool:
        """Whether the weighted estimates should add up to the whole mixture."""
        return self.unasked == 0


def parse_caption(caption: str, *, labels: Collection[str] = ()) -> list[str]:
    """Single-source phrases of a caption, in its order, without duplicates.

    Words that say *when* ("then") or merely *that* ("occurs") are dropped, shared subjects are
    restored, "man and woman" stays whole. Pauses, states and changes of level of a sound that is
    named already are no phrases ("and gets louder"); a pronoun gives way to what it stands for.
    What a sound takes place in is a phrase of its own where it sounds ("in the rain", "over
    music"), and belongs to the sound where it does not ("on gravel"). A mixture caption is taken
    apart into its prompts; a prompt stays as it is. The grammar is English; other languages are
    cut at punctuation alone. Of captions drawn from AudioCaps 3 % come out wrong, docs/fidelity.md.

    Args:
        caption: a natural caption, what `mixture_caption` makes, or a single phrase.
        labels: labels that hold a comma or "and" themselves, which a mixture caption needs.

    Returns:
        At least one phrase.

    Raises:
        TypeError: if the caption is not a string.
        ValueError: if it has no letter, or no word that names a sound.

    Examples:
        >>> parse_caption("A man talks while wood clanks on a pan")
        ['a man talks', 'wood clanks on a pan']
        >>> parse_caption("Footsteps on gravel precede a car, and it honks the horn in the rain")
        ['footsteps on gravel', 'a car', 'a car honks the horn', 'the rain']
        >>> parse_caption("A siren wails and gets louder, during which rustling occurs")
        ['a siren wails', 'rustling']
        >>> parse_caption("The sound mixture of violin and flute")
        ['The sound of violin', 'The sound of flute']
    """
    if not isinstance(caption, str):
        kind = type(caption).__name__
        raise TypeError(f"Expected a caption as a str, received a {kind}. Skip the clip.")
    if not any(c.isalpha() for c in caption):
        raise _no_caption(caption, "no letter")
    text = " ".join(caption.split())
    if text in map(phrase_prompt, labels):
        return [text]
    if mixture := _MIXTURE.fullmatch(text):
        return [phrase_prompt(label) for label in _split_labels(mixture[1], labels)]
    phrases = parse(normalise(text))
    if not phrases:
        raise _no_caption(caption, "no word that names a sound")
    is_prompt = text.startswith(PHRASE_TEMPLATE.format("")) and phrases == [text.lower()]
    return [text] if is_prompt else phrases


def phrase_prompt(label: str, template: str = PHRASE_TEMPLATE) -> str:
    """The prompt that asks for one label.

    Args:
        label: a class of sound.
        template: text with one "{}" for the label.

    Raises:
        ValueError: if the label is blank or not text, or the template has no single "{}".

    Examples:
        >>> phrase_prompt("violin")
        'The sound of violin'
    """
    if template.count("{}") != 1:
        raise ValueError(f'Expected a template with one "{{}}", received {template!r}.')
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"Expected a label such as 'violin', received {label!r}.")
    return template.replace("{}", label.strip())


def mixture_caption(labels: Sequence[str], template: str = MIXTURE_TEMPLATE) -> str:
    """The caption of a mixture of labelled sources; `parse_caption` takes it apart again.

    Args:
        labels: one or more labels.
        template: text with one "{}" for the list of labels.

    Raises:
        ValueError: if there is no label, a bare string instead of a list, or a blank label.

    Examples:
        >>> mixture_caption(["violin", "flute", "tuba"])
        'The sound mixture of violin, flute and tuba'
    """
    if isinstance(labels, str) or not labels:
        raise ValueError(f"Expected a list of at least one label, received {labels!r}.")
    names = [phrase_prompt(label, "{}") for label in labels]
    listed = ", ".join(names[:-1])
    return phrase_prompt(f"{listed} and {names[-1]}" if listed else names[-1], template)


def allocate_phrases(
    phrases: Sequence[str], num_phrases: int, generator: torch.Generator | None = None
) -> PhraseAllocation:
    """Brings the phrases of one mixture to a fixed number P, so that batches are rectangular.

    Too few are repeated at random, with weights w = 1/times, so that the weighted sum of estimates
    is still the sum over sources. Of too many, P are drawn. Their weights stay 1, since each stands
    for one whole source, and `unasked` counts the rest, which a loss must give a place (a residual
    query or the caption's own estimate): the P alone do not add up to the mixture.

    Args:
        phrases: the K phrases of one mixture.
        num_phrases: P.
        generator: source of randomness.

    Returns:
        The P phrases, in the order of the text with repetitions last.

    Raises:
        ValueError: if there is no phrase or P is not positive.

    Examples:
        >>> allocate_phrases(["a dog barks"], 2).weights
        tensor([0.5000, 0.5000])
        >>> allocate_phrases(["rain", "rain", "wind"], 3).weights
        tensor([0.5000, 0.5000, 1.0000])
        >>> allocate_phrases(["wind", "rain", "a dog barks"], 2).unasked
        1
    """
    if isinstance(phrases, str) or not phrases:
        raise ValueError(f"Expected a list of at least one phrase, received {phrases!r}.")
    if num_phrases < 1:
        raise ValueError(f"Expected num_phrases of at least 1, received {num_phrases}.")
    count = len(phrases)
    extra = torch.randint(count, (max(num_phrases - count, 0),), generator=generator)
    chosen = torch.randperm(count, generator=generator)[:num_phrases].sort().values
    chosen = torch.cat([chosen, extra])
    asked = [phrases[k] for k in chosen]
    times = torch.tensor([asked.count(phrase) for phrase in asked])  # (P,)
    return PhraseAllocation(asked, 1.0 / times, max(count - num_phrases, 0))


def _split_labels(listed: str, labels: Collection[str]) -> list[str]:
    """Labels of "a, b and c"; known labels are never cut."""
    known = [re.escape(label) for label in sorted(labels, key=len, reverse=True)]
    item = "|".join([*known, ".+?"])
    found = re.findall(rf"({item})(?:,\s*(?:and\s+)?|\s+and\s+|$)", listed)
    return list(dict.fromkeys(found))


def _no_caption(caption: str, what: str) -> ValueError:
    shown = caption if len(caption) <= 40 else caption[:40] + "..."
    return ValueError(
        f"Expected a caption that names a sound, such as 'a dog barks', received {shown!r} with "
        f"{what}. Correct the caption or skip the clip."
    )
