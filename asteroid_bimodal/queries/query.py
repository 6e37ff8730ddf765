"""Queries of several modalities, and their weighted averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import torch

from .base import QueryEncoder
from .embedding import QueryEmbedding, concat_queries, mean_query
from .modality import MODALITIES
from .vocabulary import Vocabulary


@dataclass(frozen=True)
class Part:
    """One of the parts whose average a query is.

    Attributes:
        modality: "text", "audio" or "image".
        content: a text; the path of an audio file or an `AudioExample`; the path of an image or a
            `PIL.Image.Image`.
        weight: relative to the query's other parts.
    """

    modality: str
    content: Any
    weight: float = 1.0


@dataclass(frozen=True)
class Query:
    """What one output is to hold; a text alone may be written as a `str`.

    Attributes:
        name: of the output.
        parts: at least one; several are averaged by `mean_query`.

    Examples:
        >>> Query.like("takes/violin sample.wav").name
        'violin sample'
        >>> bowed = Query.blend("bowed", [("violin", 0.7), (Query.like("cello.wav"), 0.3)])
        >>> [(part.modality, part.content, part.weight) for part in bowed.parts]
        [('text', 'violin', 0.7), ('audio', 'cello.wav', 0.3)]
    """

    name: str
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, query: str | Query) -> Query:
        """Returns a query as it is, and makes one of a text."""
        return query if isinstance(query, Query) else cls(query, (Part("text", query),))

    @classmethod
    def like(cls, sound: Any, name: str | None = None) -> Query:
        """Asks for what sounds like an example.

        Args:
            sound: the path of an audio file of any format, rate and length, or an `AudioExample`.
            name: of the output, by default the file's without its suffix.
        """
        return cls(_name(sound, name, "example"), (Part("audio", sound),))

    @classmethod
    def picture(cls, picture: Any, name: str | None = None) -> Query:
        """Asks for what a picture shows.

        Args:
            picture: the path of an image, or a `PIL.Image.Image`.
            name: of the output, by default the file's without its suffix.
        """
        return cls(_name(picture, name, "picture"), (Part("image", picture),))

    @classmethod
    def blend(cls, name: str, parts: Sequence[tuple[str | Query, float]]) -> Query:
        """Asks for the weighted average of several queries; see `mean_query`.

        Args:
            name: of the output.
            parts: queries and their weights, none negative.

        Raises:
            ValueError: when there is no part.
        """
        if not parts:
            raise ValueError(f"Expected parts of {name!r} such as ('violin', 0.7), received none.")
        pairs = [(part, weight) for query, weight in parts for part in cls.of(query).parts]
        return cls(name, tuple(replace(part, weight=part.weight * w) for part, w in pairs))


def _name(content: Any, name: str | None, default: str) -> str:
    if name is not None:
        return name
    return Path(content).stem if isinstance(content, (str, PathLike)) else default


class ConditionedModel(Protocol):
    """What `encode_queries` needs of a separator."""

    @property
    def query_encoder(self) -> QueryEncoder: ...

    @property
    def vocabulary(self) -> Vocabulary | None: ...

    @property
    def device(self) -> torch.device: ...

    def query_args(self, encoder: QueryEncoder) -> dict[str, int]: ...

    def accepts(self, encoder: QueryEncoder) -> bool: ...


def encode_queries(
    model: ConditionedModel, queries: Sequence[str | Query], without: Sequence[str | Query] = ()
) -> QueryEmbedding:
    """Encodes queries of any modality for one mixture.

    A modality that is not the model's own is encoded by its query encoder's sibling, if there is
    one: audio examples for a model of CLAP's texts, texts for one of CLIP's pictures.

    Args:
        model: the separator.
        queries: what to look for.
        without: negative queries; they follow after the others.

    Shape:
        - returns: tokens (1, Q, L, D), pooled (1, Q, E)

    Raises:
        ValueError: for a query of a modality that the model does not take, and for what its encoder
            refuses.

    Examples:
        >>> from asteroid_bimodal.models import BiModalUNet
        >>> model = BiModalUNet.from_pretrained("mini")
        >>> bowed = Query.blend("bowed", [("violin", 0.7), ("cello", 0.3)])
        >>> encode_queries(model, ["flute", bowed]).num_queries
        2
    """
    return concat_queries([_encode(model, Query.of(query)) for query in (*queries, *without)])


def _encode(model: ConditionedModel, query: Query) -> QueryEmbedding:
    parts = [_encode_part(model, part) for part in query.parts]
    weights = [part.weight for part in query.parts]
    return parts[0] if weights == [1] else mean_query(parts, weights)


def _encode_part(model: ConditionedModel, part: Part) -> QueryEmbedding:
    own = model.query_encoder
    encoder = own.sibling(part.modality)
    if encoder is None or encoder is not own and not model.accepts(encoder):
        trained, asked = MODALITIES[own.modality], MODALITIES[part.modality]
        raise ValueError(
            f"Expected {trained.plural} for this model, which was trained with them, received one "
            f"of {asked.plural}, {part.content!r:.80}. Use {trained.plural}, or {asked.where}."
        )
    query = encoder.ask([[part.content]], model.vocabulary).to(model.device)
    if "cond_dim" in model.query_args(encoder):
        return query
    # This masker takes no tokens, whose size differs between the encoders of a space.
    return QueryEmbedding(query.tokens[..., :0], query.mask, query.pooled)
