"""How a published model is asked: in words, by pictures, by sounds, by class, or not at all."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ..models.bundle import FOLDER, is_bundled

_MOST_SHOWN = 30  # classes, in a sentence


@dataclass(frozen=True)
class Usage:
    """What a card says about a model's queries.

    Attributes:
        tag: of the hub, such as "text-conditioned".
        task: what the model does, as the hub names the task of its figures.
        summary: the card's first sentence.
        queries: of an example; empty where only a `QueryEmbedding` can be passed.
        limit: a sentence about what cannot be asked.
        encoder: a sentence about where the query encoder comes from.
    """

    tag: str
    task: str
    summary: str
    queries: Sequence[str]
    limit: str
    encoder: str

    @property
    def command_line(self) -> str:
        """The queries as `asteroid-bimodal separate` takes them."""
        option = _OPTIONS.get(self.tag)
        if option is None:
            return shlex.join(self.queries)
        return shlex.join(text for query in self.queries for text in (option, query))


_OPTIONS = {"image-conditioned": "--picture", "audio-conditioned": "--like"}
_ABSENT = "A query for a sound that is not there may return a part of the others."
_KINDS = {
    "text": (
        "words: a recording and a text such as “violin” in, the sound that the text names out",
        ["violin", "flute"],
    ),
    "image": (
        "pictures: a recording and a picture of what sounds in, its sound out",
        ["violin.jpg", "flute.jpg"],
    ),
    "audio": (
        "examples: a recording and a short recording of what to look for in, that sound out",
        ["a_violin.wav", "a_flute.wav"],
    ),
    "label": ("classes: a recording and the name of a class in, the sound of that class out", []),
}


def usage_of(encoder: str | None) -> Usage:
    """Says how a model is asked.

    Args:
        encoder: the `query_encoder` of its arguments.

    Examples:
        >>> usage_of("resnet:mini|56").queries
        ['violin.jpg', 'flute.jpg']
        >>> usage_of("outputs:2").queries
        ['1', '2']
    """
    if encoder is None:
        return Usage(
            "embedding-conditioned",
            "Audio source separation by embedding",
            "Separates sounds by embeddings of queries.",
            (),
            "It has no query encoder: it is asked with a `QueryEmbedding`.",
            "",
        )
    kind, _, rest = encoder.partition(":")
    if kind == "outputs":
        return _blind(int(rest))
    condition = {"clap-audio": "audio", "clip-image": "image", "resnet": "image", "labels": "label"}
    tag = condition.get(kind, "text")
    summary, queries = _KINDS[tag]
    limit, loaded = _ABSENT, _encoder_sentence(encoder)
    if tag == "label":
        queries, limit, loaded = *_classes(encoder), ""
    return Usage(
        f"{tag}-conditioned",
        f"Audio source separation by {tag}",
        f"Separates sounds by {summary}.",
        queries,
        limit,
        loaded,
    )


def _blind(count: int) -> Usage:
    return Usage(
        "blind",
        "Audio source separation",
        f"Separates a recording into {count} outputs; nothing tells it what to look for.",
        [str(number) for number in range(1, count + 1)],
        "The order of the outputs means nothing. Its figures are those of the order that fits the "
        "references best, which helps it in a comparison with models that are asked.",
        "",
    )


def _classes(encoder: str) -> tuple[list[str], str]:
    from ..queries.load import load_query_encoder  # transformers takes seconds to import

    labels = load_query_encoder(encoder).labels
    shown = ", ".join(labels[:_MOST_SHOWN])
    more = f" and {len(labels) - _MOST_SHOWN} more" if len(labels) > _MOST_SHOWN else ""
    return list(labels[:2]), f"It knows these classes and no others: {shown}{more}. {_ABSENT}"


def _encoder_sentence(encoder: str) -> str:
    if is_bundled(encoder):
        return (
            f"The queries are read by the frozen encoder in `{FOLDER}/`, a copy, which keeps the "
            "licence of its original."
        )
    return f"The queries are read by the frozen encoder `{encoder}`, which is loaded by that name."
