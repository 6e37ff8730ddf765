"""The contract of query encoders.

Legend: B mixtures, Q queries of each, L tokens of a query, D token size, E pooled size.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from ..utils.folders import atomic_folder
from ..utils.frozen import weights_digest
from ..utils.markdown import code
from .embedding import EmbeddingCache, EncodedQuery, QueryEmbedding, mean_query
from .modality import MODALITIES, Usage
from .spec import COPY_FOLDER, EncoderSpec
from .vocabulary import Vocabulary
from .words import check_words

NEEDS = ("captions", "phrases", "absent", "outputs")  # that a loss can have of a batch's queries


class QueryBatch(Protocol):
    """What encoders take from a batch of B examples of N mixtures, each with P phrases."""

    @property
    def captions(self) -> list[list[str]]: ...  # N
    @property
    def flat_phrases(self) -> list[list[str]]: ...  # N·P
    @property
    def absent(self) -> list[list[str]]: ...  # phrases of sounds that are in none of the mixtures
    @property
    def frames(self) -> list[list[list[Any]]]: ...  # N lists of P pictures
    @property
    def flat_frames(self) -> list[list[Any]]: ...  # N·P


class QueryItem(Protocol):
    """What encoders take from an evaluation item of K sources."""

    @property
    def phrases(self) -> list[str]: ...
    @property
    def frames(self) -> list[str]: ...


class QueryEncoder(nn.Module):
    """Base of the query encoders: frozen networks that turn queries into a `QueryEmbedding`.

    A kind of encoder sets `token_dim` and `pooled_dim` and defines `encode`; one whose queries are
    not texts also sets `modality` and defines `check`, `key`, `encode_need` and `item_queries`. To
    be built by name, it sets `kind` and `spec` and has a line in `spec.ENCODERS`; then a saved
    model, the recipes and the model cards know it, too. Equal queries are encoded once, and what
    was encoded before is taken from `cache`.

    Attributes:
        modality: a key of `MODALITIES`.
        kind: a key of `ENCODERS`.
        siblings: the kinds of encoders that share this one's space, by their modality.
        has_weights: whether there is a pretrained network, which a saved model can carry along.
        spec: the name by which the same encoder is built; None for one without.
        token_dim: D.
        pooled_dim: E.
        cache: embeddings of the queries seen so far.

    Examples:
        >>> class Length(QueryEncoder):
        ...     token_dim, pooled_dim = 1, 1
        ...
        ...     def encode(self, queries):
        ...         print("encoding", queries)
        ...         words = [text.split() for text in queries]
        ...         return [
        ...             EncodedQuery(
        ...                 torch.tensor([[float(len(word))] for word in text]),
        ...                 torch.ones(len(text), dtype=torch.bool),
        ...                 torch.tensor([float(len(text))]),
        ...             )
        ...             for text in words
        ...         ]
        >>> encoder = Length()
        >>> query = encoder([["violin", "acoustic guitar"], ["violin", "tuba"]])
        encoding ['violin', 'acoustic guitar', 'tuba']
        >>> query.tokens[0, :, :, 0]
        tensor([[6., 0.],
                [8., 6.]])
        >>> query.mask[0]
        tensor([[ True, False],
                [ True,  True]])
    """

    modality: ClassVar[str] = "text"
    kind: ClassVar[str]
    siblings: ClassVar[dict[str, str]] = {}
    has_weights: ClassVar[bool] = False
    spec: EncoderSpec | None = None
    token_dim: int
    pooled_dim: int

    def __init__(self) -> None:
        super().__init__()
        self.cache = EmbeddingCache()
        self._siblings: dict[str, QueryEncoder] = {}

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> QueryEncoder:
        """Builds an encoder of this class; a kind with options overrides it."""
        if spec.options is not None:
            raise ValueError(f"Query encoders of the kind {spec.kind} take no options: '{spec}'.")
        build: Any = cls
        return build(spec.name)

    @classmethod
    def describe(cls, spec: EncoderSpec) -> Usage:
        """Describes the queries of a model with this encoder for its card; nothing is loaded."""
        modality = MODALITIES[cls.modality]
        source = f"`{code(spec)}`, which is loaded by that name."
        if spec.bundled:
            source = f"in `{COPY_FOLDER}/`, a copy, which keeps the licence of its original."
        sentence = f"The queries are encoded by the frozen encoder {source}"
        return Usage(
            f"{cls.modality}-conditioned",
            f"Audio source separation by {cls.modality}",
            modality.summary,
            modality.examples,
            encoder=sentence if cls.has_weights else "",
            option=modality.option,
        )

    @property
    def device(self) -> torch.device:
        """Where embeddings are made and left."""
        return torch.device("cpu")

    @property
    def fingerprint(self) -> str:
        """Tells the encoder from every other one: a digest of its settings and weights."""
        return weights_digest(*self._identity())

    def _identity(self) -> tuple[Any, ...]:
        """Settings, then networks; a kind with weights overrides it."""
        return (str(self.spec),)

    def sibling(self, modality: str) -> QueryEncoder | None:
        """Returns the encoder of queries of a modality in this one's space.

        Args:
            modality: a key of `MODALITIES`; for its own, the encoder returns itself.

        Returns:
            The encoder, None where there is none.
        """
        if modality == self.modality:
            return self
        if modality not in self.siblings or self.spec is None:
            return None
        if modality not in self._siblings:
            self._siblings[modality] = EncoderSpec(self.siblings[modality], self.spec.name).load()
        return self._siblings[modality].to(self.device)

    def padded(self) -> QueryEncoder:
        """Returns the encoder whose queries have equally many tokens: itself, unless it can pad."""
        return self

    def _options(self) -> str | None:
        """The options of `spec`, also those that are the kind's defaults."""
        return None

    def _weights(self) -> list[Any]:
        """What `save_pretrained` writes: objects with a `save_pretrained` of their own."""
        return []

    def save_pretrained(self, folder: str | Path) -> EncoderSpec:
        """Writes a copy of the encoder to `<folder>/query_encoder`, whole or not at all.

        Args:
            folder: where a model is saved. Nothing is written for an encoder without weights.

        Returns:
            The name by which the model knows the copy.

        Raises:
            ValueError: for an encoder without `spec`.
        """
        if self.spec is None:
            raise ValueError(
                f"Expected a query encoder with a spec, received a {type(self).__name__}. Save the "
                "model without it, and pass it when the model is loaded."
            )
        if not self.has_weights:
            return self.spec
        with atomic_folder(Path(folder) / COPY_FOLDER) as scratch:
            for part in self._weights():
                part.save_pretrained(scratch)
            for path in scratch.iterdir():
                path.chmod(0o644)  # safetensors makes files that only their owner can read
        return self.spec.copied(self._options())

    def encode_batch(
        self, batch: QueryBatch, needs: Collection[str], *, mean_captions: bool = False
    ) -> dict[str, QueryEmbedding]:
        """Encodes the queries that a loss needs of a training batch.

        Args:
            batch: B examples of N mixtures with P phrases each.
            needs: of `NEEDS`; other names are passed over.
            mean_captions: encode a caption as the mean of its phrases, not as a text of its own.

        Returns:
            Of each need, in the order of `NEEDS`: N captions, N·P phrases, the absent sounds or all
            outputs.

        Raises:
            ValueError: for a need that such queries cannot serve.
        """
        return {
            need: self.encode_means(batch)
            if mean_captions and need == "captions"
            else self.encode_need(batch, need)
            for need in NEEDS
            if need in needs
        }

    def encode_means(self, batch: QueryBatch) -> QueryEmbedding:
        """Encodes each caption as the mean of its mixture's phrases, see `mean_query`.

        A phrase that is repeated, to fill up, counts as often.
        """
        phrases = self.encode_need(batch, "phrases")
        places = torch.arange(phrases.num_queries, device=self.device)
        groups = places.view(len(batch.captions[0]), -1)  # (N, P)
        return mean_query([phrases.select(group) for group in groups.T])

    def encode_need(self, batch: QueryBatch, need: str) -> QueryEmbedding:
        """Encodes the queries of one of `NEEDS`."""
        if need == "outputs":
            raise ValueError(
                f"Expected loss terms of captions and phrases for a system with {self.modality} "
                "queries, received one of outputs. Set query.encoder to outputs."
            )
        return self(batch.flat_phrases if need == "phrases" else getattr(batch, need))

    def item_queries(self, item: QueryItem) -> list[Any]:
        """Returns the query of each source of an evaluation item."""
        return item.phrases

    def encode(self, queries: list[Any]) -> list[EncodedQuery]:
        """Encodes distinct, checked queries, each by itself."""
        raise NotImplementedError(f"{type(self).__name__} has to define `encode`.")

    def check(self, query: Any) -> None:
        """Raises a ValueError for a query that this encoder cannot encode."""
        if not isinstance(query, str) or not query.strip():
            raise ValueError(
                f"Expected a query of at least one word, received {query!r}. "
                f"Name a sound, such as 'violin'."
            )

    def check_words(self, query: Any, vocabulary: Vocabulary | None = None) -> None:
        """Warns of a text of no sound in a vocabulary, or that this encoder cannot read."""
        if self.modality == "text":
            check_words(query, vocabulary, self.unread)

    def unread(self, text: str) -> list[str]:
        """The words of a text that this encoder can encode, but not read."""
        return []

    def key(self, query: Any) -> Hashable:
        """Returns what is the same for equal queries."""
        return query

    def forward(self, queries: Sequence[Sequence[Any]]) -> QueryEmbedding:
        """Encodes the queries of a batch of mixtures.

        Args:
            queries: B lists of Q queries.

        Raises:
            ValueError: for a query that is empty or of another kind, and for lists that are empty
                or of different lengths.
        """
        self._check_batch(queries)
        flat = [query for row in queries for query in row]
        distinct = {self.key(query): query for query in flat}
        found = self._look_up(distinct)
        stacked = _stack(list(found.values())).to(self.device)  # (1, U, …)
        position = {key: index for index, key in enumerate(found)}
        index = torch.tensor([[position[self.key(query)] for query in row] for row in queries])
        index = index.to(self.device)  # (B, Q)
        return QueryEmbedding(
            tokens=stacked.tokens[0, index],
            mask=stacked.mask[0, index],
            pooled=stacked.pooled[0, index],
        )

    def ask(
        self, queries: Sequence[Sequence[Any]], vocabulary: Vocabulary | None = None
    ) -> QueryEmbedding:
        """Encodes, as `forward`, what somebody asks a model, and says what it does not know.

        A text that names one sound of the vocabulary in another form is encoded by its word, see
        `Vocabulary.wording`.

        Args:
            queries: as for `forward`.
            vocabulary: the sounds that the model knows, None where nobody said.
        """
        encoded = self([[self._worded(query, vocabulary) for query in row] for row in queries])
        for query in {self.key(query): query for row in queries for query in row}.values():
            self.check_words(query, vocabulary)
        return encoded

    def _worded(self, query: Any, vocabulary: Vocabulary | None) -> Any:
        if vocabulary is None or self.modality != "text" or not isinstance(query, str):
            return query
        return vocabulary.wording(query)

    def _check_batch(self, queries: Sequence[Sequence[Any]]) -> None:
        if isinstance(queries, str) or any(not isinstance(row, (list, tuple)) for row in queries):
            raise ValueError(
                f"Expected a list of queries for every mixture, received {queries!r}. "
                f"Write [['violin', 'flute']] for one mixture."
            )
        counts = sorted({len(row) for row in queries})
        if not any(counts):
            raise ValueError("There is no query: name a sound, such as 'violin'.")
        if len(counts) != 1:
            raise ValueError(
                f"Expected equally many queries for every mixture; received "
                f"{counts or 'no mixture'}. Repeat a query to fill up."
            )
        for row in queries:
            for query in row:
                self.check(query)

    def _look_up(self, distinct: dict[Hashable, Any]) -> dict[Hashable, EncodedQuery]:
        known = {key: self.cache.get(key) for key in distinct}
        missing = [key for key, value in known.items() if value is None]
        if missing:
            encoded = self.encode([distinct[key] for key in missing])
            for key, value in zip(missing, encoded, strict=True):
                known[key] = self.cache.put(key, value)
        return {key: value for key, value in known.items() if value is not None}


def load_query_encoder(text: str) -> QueryEncoder:
    """Builds the query encoder that a text names; `str` of its `spec` is such a text again.

    - `mini`, a folder, a hub id or `clap:NAME`: texts, by CLAP
    - `laion:PATH`: texts, by a checkpoint of `laion_clap`
    - `clip:NAME`: texts, by CLIP
    - `bert:NAME`, `bert:NAME|POOLING` or `minilm`: texts, by BERT
    - `clap-audio:NAME` or `clap-audio:NAME|LABELS`: audio examples, by CLAP
    - `clip-image:NAME`: pictures, by CLIP
    - `resnet:NAME` or `resnet:NAME|SIZE`: frames of SIZE pixels, by a ResNet
    - `labels:LABELS` or `labels:LABELS|TEMPLATES`: classes, or prompts made of them
    - `outputs:COUNT`: no condition, the numbers of outputs

    NAME is a folder, a hub id or, except for BERT, `mini`; of a CLAP also `laion:PATH`. LABELS and
    TEMPLATES are separated by commas, with double quotes around those that have a comma.

    Args:
        text: the text.

    Raises:
        ValueError: for a kind that does not exist, with the nearest that does, and for what the
            encoder itself refuses.

    Examples:
        >>> load_query_encoder("labels:violin,flute").pooled_dim
        2
        >>> str(load_query_encoder("outputs:4").spec)
        'outputs:4'
    """
    return EncoderSpec.parse(text).load()


def _stack(encoded: list[EncodedQuery]) -> QueryEmbedding:
    """Pads U queries to the longest and stacks them: (1, U, …)."""
    tokens = nn.utils.rnn.pad_sequence([item.tokens for item in encoded], batch_first=True)
    mask = nn.utils.rnn.pad_sequence([item.mask for item in encoded], batch_first=True)
    pooled = torch.stack([item.pooled for item in encoded])
    return QueryEmbedding(tokens[None], mask[None], pooled[None])
