"""Queries that name a place in a list: a class of sound, or an output of a blind separator."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
from collections.abc import Sequence

import torch

from .base import QueryEncoder
from .cache import EncodedQuery
from .captions import PHRASE_TEMPLATE


class _PlaceEncoder(QueryEncoder):
    """Encodes a query as 1 in its own place among `count`, both pooled and as the only token."""

    name: str

    def __init__(self, count: int) -> None:
        super().__init__()
        self.token_dim = self.pooled_dim = count

    @property
    def fingerprint(self) -> str:
        """Tells the encoder from every other one."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    def place(self, query: str) -> int:
        """Says which place a query has.

        Args:
            query: one query.

        Raises:
            ValueError: when it has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define `place`.")

    def check(self, query: str) -> None:
        """Raises a ValueError for a query without a place."""
        super().check(query)
        self.place(query)

    def encode(self, queries: list[str]) -> list[EncodedQuery]:
        """Encodes distinct queries.

        Args:
            queries: the queries.
        """
        rows = torch.eye(self.pooled_dim)[[self.place(query) for query in queries]]
        return [EncodedQuery(row[None], torch.ones(1, dtype=torch.bool), row) for row in rows]


class LabelEncoder(_PlaceEncoder):
    """Classes of sound as one-hot vectors; the prompt of a label is as good as the label.

    Args:
        labels: the classes; their order is that of the vectors.
        templates: of prompts, each with `{}` for the label.

    Shape:
        - queries: B lists of Q labels or prompts
        - output: tokens (B, Q, 1, C) and pooled (B, Q, C), both one-hot over C classes

    Raises:
        ValueError: for labels that are empty or twice the same, for a template without its `{}`,
            and for a query that names no class.

    Examples:
        >>> encoder = LabelEncoder(["accordion", "acoustic guitar", "violin"])
        >>> encoder([["The sound of violin", "accordion"]]).pooled[0]
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
        >>> encoder.name
        'labels:accordion,acoustic guitar,violin'
    """

    def __init__(
        self, labels: Sequence[str], templates: Sequence[str] = (PHRASE_TEMPLATE,)
    ) -> None:
        if isinstance(labels, str) or not all(map(_is_label, labels)):
            raise ValueError(
                f"Expected a list of labels, each a text without '|', received {labels!r}."
            )
        self.labels = tuple(" ".join(label.split()) for label in labels)
        self.templates = tuple(templates)
        super().__init__(len(self.labels))
        self._places = {_plain(label): index for index, label in enumerate(self.labels)}
        if not self.labels or len(self._places) < len(self.labels):
            raise ValueError(f"Expected different labels, at least one, received {list(labels)}.")
        self._prompts = [_prompt_pattern(template) for template in self.templates]
        suffix = "" if self.templates == (PHRASE_TEMPLATE,) else "|" + join_list(self.templates)
        self.name = f"labels:{join_list(self.labels)}{suffix}"

    def label(self, query: str) -> str:
        """Says which class a query names.

        Args:
            query: a label or a prompt, in any case.

        Raises:
            ValueError: when it names none, with the nearest that there is.
        """
        return self.labels[self.place(query)]

    def place(self, query: str) -> int:
        """Says which place the class has that a query names."""
        names = [_plain(query)]
        matches = (pattern.fullmatch(names[0]) for pattern in self._prompts)
        names += [match[1] for match in matches if match]
        for name in names:
            if name in self._places:
                return self._places[name]
        near = difflib.get_close_matches(names[-1], self._places, n=1)
        known = ", ".join(self.labels[:30]) + (", …" if len(self.labels) > 30 else "")
        raise ValueError(
            f"Expected a class that the model was trained for, one of {known}; received {query!r}."
            + (f" Did you mean {self.labels[self._places[near[0]]]!r}?" if near else "")
        )


class OutputSlots(_PlaceEncoder):
    """No condition: the queries `"1"`, `"2"`, … ask a blind separator for its outputs.

    Args:
        count: how many outputs there are.

    Attributes:
        slots: the queries, in order.

    Shape:
        - queries: B lists of Q output numbers
        - output: tokens (B, Q, 1, count) and pooled (B, Q, count), both one-hot

    Raises:
        ValueError: for a count below one, and for a query that is no number from 1 to `count`.

    Examples:
        >>> encoder = OutputSlots(2)
        >>> encoder([encoder.slots]).pooled[0]
        tensor([[1., 0.],
                [0., 1.]])
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"Expected at least 1 output, received {count}.")
        super().__init__(count)
        self.slots = [str(number) for number in range(1, count + 1)]
        self.name = f"outputs:{count}"

    def place(self, query: str) -> int:
        """Says which place an output has."""
        if query not in self.slots:
            raise ValueError(
                f"Expected the number of an output, '1' to '{len(self.slots)}', for this model "
                f"hears no query; received {query!r}. Ask for {self.slots}."
            )
        return self.slots.index(query)


def join_list(texts: Sequence[str]) -> str:
    """Writes texts as one, with commas between them and quotes around those that have one.

    Args:
        texts: at least one.

    Examples:
        >>> join_list(["violin", "bird chirping, tweeting"])
        'violin,"bird chirping, tweeting"'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def split_list(line: str) -> list[str]:
    """Undoes `join_list`; spaces after commas do not count.

    Args:
        line: the text.

    Examples:
        >>> split_list('violin, "bird chirping, tweeting"')
        ['violin', 'bird chirping, tweeting']
    """
    return [text.strip() for row in csv.reader([line], skipinitialspace=True) for text in row]


def _is_label(label: object) -> bool:
    return isinstance(label, str) and bool(label.strip()) and "|" not in label


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _prompt_pattern(template: str) -> re.Pattern[str]:
    if not isinstance(template, str) or template.count("{}") != 1:
        raise ValueError(f"Expected a template with one {{}} for the label, received {template!r}.")
    before, after = (re.escape(part) for part in _plain(template).split("{}"))
    return re.compile(f"{before}(.+){after}")
