"""One-hot queries: classes of sound, and the outputs of a blind separator."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch.nn.functional import one_hot

from ..utils.markdown import plain
from .base import QueryBatch, QueryEncoder, QueryItem
from .captions import PHRASE_TEMPLATE
from .embedding import EncodedQuery, QueryEmbedding
from .modality import Usage
from .spec import EncoderSpec, whole_number

_MOST_OUTPUTS = 1000  # of a blind separator
_MAX_SHOWN = 30  # classes in a sentence


class OneHotEncoder(QueryEncoder):
    """Encodes a text as 1 at its own index among `count`, both pooled and as the only token."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.token_dim = self.pooled_dim = count

    def index(self, query: str) -> int:
        """Returns the index of a query, or raises a ValueError."""
        raise NotImplementedError(f"{type(self).__name__} has to define `index`.")

    def sibling(self, modality: str) -> QueryEncoder | None:
        """Returns itself for texts, which its queries are."""
        return self if modality == "text" else super().sibling(modality)

    def check(self, query: str) -> None:
        """Raises a ValueError for a query without an index."""
        super().check(query)
        self.index(query)

    def encode(self, queries: list[str]) -> list[EncodedQuery]:
        """Encodes distinct queries."""
        indices = torch.tensor([self.index(query) for query in queries])
        rows = one_hot(indices, self.pooled_dim).float()
        return [EncodedQuery(row[None], torch.ones(1, dtype=torch.bool), row) for row in rows]


class LabelEncoder(OneHotEncoder):
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
        >>> str(encoder.spec)
        'labels:accordion,acoustic guitar,violin'
    """

    modality, kind = "label", "labels"

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
        self._indices = {_plain(label): index for index, label in enumerate(self.labels)}
        if not self.labels or len(self._indices) < len(self.labels):
            raise ValueError(f"Expected different labels, at least one, received {list(labels)}.")
        self._prompts = [_prompt_pattern(template) for template in self.templates]
        default = self.templates == (PHRASE_TEMPLATE,)
        options = None if default else join_list(self.templates)
        self.spec = EncoderSpec(self.kind, join_list(self.labels), options)

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> LabelEncoder:
        """Builds the encoder of `labels:LABELS` or `labels:LABELS|TEMPLATES`."""
        templates = [] if spec.options is None else [split_list(spec.options)]
        return cls(split_list(spec.name), *templates)

    @classmethod
    def describe(cls, spec: EncoderSpec) -> Usage:
        """Lists the classes."""
        usage, labels = super().describe(spec), split_list(spec.name)
        shown = ", ".join(map(plain, labels[:_MAX_SHOWN]))
        more = f" and {len(labels) - _MAX_SHOWN} more" if len(labels) > _MAX_SHOWN else ""
        limit = f"It knows these classes and no others: {shown}{more}. {usage.limit}"
        return replace(usage, queries=labels[:2], limit=limit)

    def label(self, query: str) -> str:
        """Says which class a query names."""
        return self.labels[self.index(query)]

    def index(self, query: str) -> int:
        """Returns the index of the class that a query names."""
        names = [_plain(query)]
        matches = (pattern.fullmatch(names[0]) for pattern in self._prompts)
        names += [match[1] for match in matches if match]
        for name in names:
            if name in self._indices:
                return self._indices[name]
        near = difflib.get_close_matches(names[-1], self._indices, n=1)
        known = ", ".join(self.labels[:_MAX_SHOWN]) + ", …" * (len(self.labels) > _MAX_SHOWN)
        raise ValueError(
            f"Expected a class that the model was trained for, one of {known}; received {query!r}."
            + (f" Did you mean {self.labels[self._indices[near[0]]]!r}?" if near else "")
        )


class UnconditionedEncoder(OneHotEncoder):
    """No condition: the queries `"1"`, `"2"`, … are the outputs of a blind separator.

    Args:
        count: how many outputs there are.

    Attributes:
        outputs: the queries, in order.

    Shape:
        - queries: B lists of Q output numbers
        - output: tokens (B, Q, 1, count) and pooled (B, Q, count), both one-hot

    Raises:
        ValueError: for a count below 1 or above 1000, and for a query that is no number up to it.

    Examples:
        >>> encoder = UnconditionedEncoder(2)
        >>> encoder([encoder.outputs]).pooled[0]
        tensor([[1., 0.],
                [0., 1.]])
    """

    modality, kind = "output", "outputs"

    def __init__(self, count: int) -> None:
        if not 1 <= count <= _MOST_OUTPUTS:
            raise ValueError(f"Expected 1 to {_MOST_OUTPUTS} outputs, received {count}.")
        super().__init__(count)
        self.outputs = [str(number) for number in range(1, count + 1)]
        self.spec = EncoderSpec(self.kind, str(count))

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> UnconditionedEncoder:
        """Builds the encoder of `outputs:COUNT`."""
        return cls(whole_number(spec.name, "number of outputs"))

    @classmethod
    def describe(cls, spec: EncoderSpec) -> Usage:
        """Explains outputs without queries."""
        return Usage(
            "blind",
            "Audio source separation",
            f"Separates a recording into {spec.name} outputs; it takes no queries.",
            cls.from_spec(spec).outputs,
            "The order of the outputs means nothing. Its figures are those of the order that fits "
            "the references best, which favours it in a comparison with models that take queries.",
        )

    def index(self, query: str) -> int:
        """Returns the index of an output."""
        if query not in self.outputs:
            raise ValueError(
                f"Expected the number of an output, '1' to '{len(self.outputs)}', since this model "
                f"takes no query; received {query!r}. Ask for {self.outputs}."
            )
        return self.outputs.index(query)

    def encode_need(self, batch: QueryBatch, need: str) -> QueryEmbedding:
        """Encodes all outputs; captions and phrases are refused."""
        if need == "outputs":
            return self([self.outputs] * len(batch.captions))
        return super().encode_need(batch, need)

    def item_queries(self, item: QueryItem) -> list[str]:
        """Returns all outputs."""
        return self.outputs


def join_list(texts: Sequence[str]) -> str:
    """Writes texts as one, with commas between them and quotes around those that have one.

    Examples:
        >>> join_list(["violin", "bird chirping, tweeting"])
        'violin,"bird chirping, tweeting"'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def split_list(line: str) -> list[str]:
    """Undoes `join_list`; spaces after commas do not count.

    Examples:
        >>> split_list('violin, "bird chirping, tweeting"')
        ['violin', 'bird chirping, tweeting']
    """
    lines = csv.reader([" ".join(line.split())], skipinitialspace=True)
    try:
        return [text.strip() for row in lines for text in row]
    except csv.Error as error:
        raise ValueError(f"Expected labels with commas between them, got: {error}.") from error


def _is_label(label: object) -> bool:
    return isinstance(label, str) and bool(label.strip()) and "|" not in label


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _prompt_pattern(template: str) -> re.Pattern[str]:
    if not isinstance(template, str) or template.count("{}") != 1:
        raise ValueError(f"Expected a template with one {{}} for the label, received {template!r}.")
    before, after = (re.escape(part) for part in _plain(template).split("{}"))
    return re.compile(f"{before}(.+){after}")
