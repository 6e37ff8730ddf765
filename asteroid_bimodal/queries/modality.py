"""The modalities of queries: what they are called, and how a model card explains them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """Words about the queries of a modality.

    Attributes:
        plural: what several queries are called.
        summary: the first sentence of a card.
        examples: queries for an example.
        option: of `asteroid-bimodal separate`; None where queries stand for themselves.
        where: which models take such queries.
    """

    plural: str
    summary: str = ""
    examples: tuple[str, ...] = ()
    option: str | None = None
    where: str = "ask with another model"


MODALITIES = {
    "text": Modality(
        "texts",
        "Separates sounds by words: a recording and a text such as “violin” in, the sound that the "
        "text names out.",
        ("violin", "flute"),
    ),
    "image": Modality(
        "pictures",
        "Separates sounds by pictures: a recording and a picture of what sounds in, its sound out.",
        ("violin.jpg", "flute.jpg"),
        "--picture",
        "load one that was trained with pictures, such as of the system clipsep_img",
    ),
    "audio": Modality(
        "audio examples",
        "Separates sounds by examples: a recording and a short recording of what to look for in, "
        "that sound out.",
        ("a_violin.wav", "a_flute.wav"),
        "--like",
        "load one whose query encoder is a CLAP, such as 'mini'",
    ),
    "label": Modality(
        "texts",
        "Separates sounds by classes: a recording and the name of a class in, the sound of that "
        "class out.",
    ),
    "output": Modality("texts"),
}


@dataclass(frozen=True)
class Usage:
    """What a model card says about the queries of a model.

    Attributes:
        tag: of the hub, such as "text-conditioned".
        task: what the model does, as the hub names the task of its figures.
        summary: the card's first sentence.
        queries: of an example; empty where only a `QueryEmbedding` can be passed.
        limit: a sentence about what the model cannot do.
        encoder: a sentence about where the query encoder comes from.
        option: of `asteroid-bimodal separate` before each query, if one is needed.
    """

    tag: str
    task: str
    summary: str
    queries: Sequence[str] = ()
    limit: str = "A query for a sound that is not there may return a part of the others."
    encoder: str = ""
    option: str | None = None

    @property
    def command_line(self) -> str:
        """The queries as `asteroid-bimodal separate` takes them."""
        option = [] if self.option is None else [self.option]
        return shlex.join(text for query in self.queries for text in (*option, query))


# Of a model that has no query encoder.
EMBEDDING_USAGE = Usage(
    "embedding-conditioned",
    "Audio source separation by embedding",
    "Separates sounds by embeddings of queries.",
    limit="It has no query encoder: pass it a `QueryEmbedding`.",
)
