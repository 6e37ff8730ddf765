"""The sounds that a model knows, by kind, each with other words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import OmegaConf

from ..utils.conf import read_conf


@dataclass(frozen=True)
class Vocabulary:
    """Labels of sounds, grouped by kind, and words that mean the same.

    Attributes:
        kinds: of each kind its labels, and of each label its other words.

    Raises:
        ValueError: when a word stands for two labels, or there is none.

    Examples:
        >>> words = Vocabulary({"instruments": {"violin": ["fiddle"]}, "events": {"dog": []}})
        >>> words.labels, words.words("violin"), words.kind("dog")
        (['violin', 'dog'], ['violin', 'fiddle'], 'events')
    """

    kinds: Mapping[str, Mapping[str, Sequence[str]]]

    def __post_init__(self) -> None:
        words = [word for label in self.labels for word in self.words(label)]
        if not words:
            raise ValueError("Expected a vocabulary with labels, received none.")
        if twice := sorted({word for word in words if words.count(word) > 1}):
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


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Reads a vocabulary from YAML: kinds, their labels, and of each a list of other words.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it holds something else.
    """
    kinds = OmegaConf.to_container(read_conf(path))
    if not isinstance(kinds, dict) or not all(map(_is_kind, kinds.values())):
        raise ValueError(
            f"{path} is no vocabulary: it needs kinds of labels, each with a list of other words."
        )
    return Vocabulary(kinds)


def _is_kind(labels: object) -> bool:
    return isinstance(labels, dict) and all(isinstance(words, list) for words in labels.values())
