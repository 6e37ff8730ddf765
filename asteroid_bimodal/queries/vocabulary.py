"""The sounds that a model knows, by kind, each with other words for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..utils.mappings import read_mapping


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


def _is_kind(labels: object) -> bool:
    return isinstance(labels, Mapping) and all(
        isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in (label, *words))
        for label, words in labels.items()
    )
