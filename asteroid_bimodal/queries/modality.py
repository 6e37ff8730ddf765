"""The modalities of queries: what they are called, and how a model card explains them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """Words about the queries of a modality."""

    plural: str
    summary: str = ""  # the first sentence of a card
    examples: tuple[str, ...] = ()
    option: str | None = None  # of `asteroid-bimodal separate`
    where: str = "ask with another model"  # which models take such queries


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
    """What a model card says about the queries of a model."""

    tag: str  # of the hub
    task: str  # as the hub names it
    summary: str  # the first sentence
    queries: Sequence[str] = ()  # of an example; empty where only a `QueryEmbedding` can be passed
    limit: str = "A query for a sound that is not there may return a part of the others."
    encoder: str = ""  # a sentence about where the query encoder comes from
    option: str | None = None  # of `asteroid-bimodal separate`, before each query

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
