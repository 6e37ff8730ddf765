"""The sounds that a model knows, by kind, each with other words for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from ..utils.mappings import read_mapping
from .captions.phrases import PHRASE_TEMPLATE
from .content import content_words, says_how

PROMPT = re.compile(PHRASE_TEMPLATE.format(""), re.IGNORECASE)  # not what is asked for
_NEAR = 0.75  # of letters in common, for two words that are spelled alike


@dataclass(frozen=True)
class Vocabulary:
    """Labels of sounds, grouped by kind, and words that mean the same.

    Attributes:
        kinds: of each kind its labels, and of each label its other words; none where a model was
            trained with captions of all sorts, and takes any word.

    Raises:
        ValueError: for something else, and when a word stands for two labels.

    Examples:
        >>> words = Vocabulary({"instruments": {"violin": ["fiddle"]}, "events": {"dog": []}})
        >>> words.labels, words.words("violin"), words.kind("dog")
        (['violin', 'dog'], ['violin', 'fiddle'], 'events')
        >>> words.find("someone plays violins"), words.unknown("a dog and a cat")
        (['violin'], ['cat'])
        >>> words.wording("someone plays old violins"), words.wording("The sound of fiddle")
        ('violin', 'The sound of fiddle')
    """

    kinds: Mapping[str, Mapping[str, Sequence[str]]]

    def __post_init__(self) -> None:
        if not isinstance(self.kinds, Mapping) or not all(map(_is_kind, self.kinds.values())):
            raise ValueError(
                "Expected a vocabulary of kinds, their labels, and of each a list of other words, "
                f"received {self.kinds!r:.80}."
            )
        words = Counter(word for label in self.labels for word in self.words(label))
        if twice := sorted(word for word, times in words.items() if times > 1):
            raise ValueError(f"A vocabulary has {', '.join(map(repr, twice))} twice.")

    @cached_property
    def labels(self) -> list[str]:
        """All labels, in their order."""
        return [label for labels in self.kinds.values() for label in labels]

    def words(self, label: str) -> list[str]:
        """A label and the other words for it; just the label when it is none of these."""
        kind = self.kind(label)
        return [label, *(self.kinds[kind][label] if kind is not None else ())]

    def kind(self, label: str) -> str | None:
        """The kind of a label; None when it is none of these."""
        return next((kind for kind, labels in self.kinds.items() if label in labels), None)

    def find(self, text: str) -> list[str]:
        """The labels that a text names, by any of their words in singular, plural or verbal form.

        Articles, prompts ("The sound of …"), places and words of playing are passed over.
        """
        said = content_words(text).keys()
        return [
            label
            for label, wordings in self._contents.items()
            if any(content.keys() <= said for content in wordings.values())
        ]

    def unknown(self, text: str) -> list[str]:
        """The words of a text that name something else; none where all of it is known."""
        labels, said = self.find(text), content_words(text)
        known = {stem for label in labels for c in self._contents[label].values() for stem in c}
        return [
            word
            for stem, word in said.items()
            if not labels or (stem not in known and not says_how(word))
        ]

    def wording(self, text: str) -> str:
        """The word for a sound that a text names in another form, "violin" for "an old violin".

        A text that names several sounds, or something else as well, stays as it is, and so does a
        word of the vocabulary, alone or after "The sound of". Of words that name more or less of
        it, as "bass" and "double bass", the longest counts.
        """
        labels, said = self.find(text), content_words(text)
        is_word = PROMPT.sub("", text, count=1) in self._owners
        if not labels or self.unknown(text) or is_word:
            return text
        named = {
            word: content.keys()
            for label in labels
            for word in self.words(label)
            for part in [word, *word.split(",")]
            if (content := self._contents[label].get(part.strip()))
            and content.keys() <= said.keys()
        }
        telling = {stem for stem, word in said.items() if not says_how(word)}
        # Of "a man plays the violin" the violin is meant.
        named = {word: stems for word, stems in named.items() if stems & telling} or named
        longest = max(named, key=lambda word: len(named[word]))
        return longest if all(content <= named[longest] for content in named.values()) else text

    def nearest(self, text: str, count: int = 3) -> list[str]:
        """The labels that share words with a text, else those that are spelled much like it."""
        said = content_words(text)
        shared = {
            label: max(_overlap(said, content) for content in wordings.values())
            for label, wordings in self._contents.items()
        }
        if near := [label for label in shared if shared[label]]:
            return sorted(near, key=lambda label: -shared[label])[:count]
        owners = {word: label for label, words in self._contents.items() for word in words}
        alike = get_close_matches(" ".join(said.values()), owners, count, _NEAR)
        return list(dict.fromkeys(owners[word] for word in alike))

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The label of each word."""
        return {word: label for label in self.labels for word in self.words(label)}

    @cached_property
    def _contents(self) -> dict[str, dict[str, dict[str, str]]]:
        """Of each label the content of its wordings; "horn, honking" is a list of two."""
        return {
            label: {
                part.strip(): content
                for word in self.words(label)
                for part in dict.fromkeys([word, *word.split(",")])
                if (content := content_words(part))
            }
            for label in self.labels
        }

    def of(self, labels: Sequence[str], other: str = "sounds") -> Vocabulary:
        """The vocabulary of some labels alone; those that are none of these are of a kind `other`.

        Examples:
            >>> words = Vocabulary({"instruments": {"violin": ["fiddle"], "flute": []}})
            >>> words.of(["dog barking", "violin"]).kinds
            {'instruments': {'violin': ['fiddle']}, 'sounds': {'dog barking': []}}
        """
        kinds = {
            kind: {label: list(words) for label, words in known.items() if label in labels}
            for kind, known in self.kinds.items()
        }
        for label in labels:
            if self.kind(label) is None:
                kinds.setdefault(other, {})[label] = []
        return Vocabulary({kind: known for kind, known in kinds.items() if known})

    def to_dict(self) -> dict[str, dict[str, list[str]]]:
        """The kinds as plain values, which a configuration can hold."""
        return {
            kind: {label: list(words) for label, words in labels.items()}
            for kind, labels in self.kinds.items()
        }


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Reads a vocabulary from YAML: kinds, their labels, and of each a list of other words.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it holds something else, or no label.
    """
    kinds = read_mapping(path)
    try:
        vocabulary = Vocabulary(kinds)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not vocabulary.labels:
        raise ValueError(f"{path} is a vocabulary without labels.")
    return vocabulary


def _overlap(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    return len(one.keys() & other.keys()) / len(one.keys() | other.keys())


def _is_kind(labels: object) -> bool:
    return isinstance(labels, Mapping) and all(
        isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in (label, *words))
        for label, words in labels.items()
    )
