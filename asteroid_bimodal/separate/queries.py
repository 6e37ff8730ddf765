"""What to look for: words, sounds, pictures, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from ..models import QueriedSeparator
from ..queries import QueryEmbedding, QueryEncoder, concat_queries, mean_query
from ..utils.files import safe_name
from .encoders import encode_part

RESIDUAL = "residual"


@dataclass(frozen=True)
class Part:
    """What a query is made of.

    Attributes:
        kind: "text", "sound" or "picture".
        content: a text; the path of an audio file or an `AudioExample`; the path of an image or a
            `PIL.Image.Image`.
        weight: its share, relative to those of the query's other parts.
    """

    kind: str
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
        >>> [(part.kind, part.content, part.weight) for part in bowed.parts]
        [('text', 'violin', 0.7), ('sound', 'cello.wav', 0.3)]
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
            name: of the output, by default the file's without its ending.
        """
        return cls(_name(sound, name, "example"), (Part("sound", sound),))

    @classmethod
    def picture(cls, picture: Any, name: str | None = None) -> Query:
        """Asks for what a picture shows.

        Args:
            picture: the path of an image, or a `PIL.Image.Image`.
            name: of the output, by default the file's without its ending.
        """
        return cls(_name(picture, name, "picture"), (Part("picture", picture),))

    @classmethod
    def blend(cls, name: str, parts: Sequence[tuple[str | Query, float]]) -> Query:
        """Asks for what several queries mean together; see `mean_query`.

        Args:
            name: of the output.
            parts: queries and their weights, none negative.

        Raises:
            ValueError: when there is no part.
        """
        if not parts:
            raise ValueError(f"Expected parts of {name!r} such as ('violin', 0.7), received none.")
        pairs = [(part, weight) for query, weight in parts for part in cls.of(query).parts]
        return cls(name, tuple(Part(p.kind, p.content, p.weight * w) for p, w in pairs))


def _name(content: Any, name: str | None, default: str) -> str:
    if name is not None:
        return name
    return Path(content).stem if isinstance(content, (str, PathLike)) else default


def output_names(
    queries: Sequence[str | Query], residual: bool = False, without: Sequence[str | Query] = ()
) -> list[str]:
    """Gives what each output adds to its input's name: safe as a file name, and distinct.

    Args:
        queries: what to look for; nothing, with `without`, is everything.
        residual: add a name for what no query took.
        without: what is not wanted in any output.

    Raises:
        ValueError: when a query is empty or not text, or two have the same file name.

    Examples:
        >>> output_names(["Acoustic guitar", "a/../b"], residual=True)
        ['Acoustic_guitar', 'a_b', 'residual']
        >>> output_names([], without=["drums"]), output_names(["violin"], without=["drums", "bass"])
        (['without_drums'], ['violin_without_drums_bass'])
    """
    texts, unwanted = _texts(queries), _texts(without)
    if not texts and not unwanted:
        raise _no_query("none")
    if unwanted:
        suffix = f"without {' '.join(unwanted)}"
        texts = [f"{text} {suffix}" for text in texts] or [suffix]
    names = [safe_name(text) for text in texts]
    owners = {RESIDUAL: "--residual"} if residual else {}
    for name, text in zip(names, texts, strict=True):
        key = name.casefold()  # some file systems do not tell capitals from small letters
        if key in owners:
            raise ValueError(
                f"Expected queries that give different file names, received {owners[key]} and "
                f"{text!r}, both …_{name}.wav. Rename one, or ask for them one at a time."
            )
        owners[key] = repr(text)
    return [*names, RESIDUAL] if residual else names


def _texts(queries: Sequence[str | Query]) -> list[str]:
    """Returns the names of queries, which have to be texts of at least one word."""
    if isinstance(queries, (str, Query)):
        raise ValueError(f"Expected a list of queries such as ['violin'], received {queries!r}.")
    texts = [Query.of(query).name for query in queries]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise _no_query(repr(text))
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"Expected queries of text, received {text!r}, which is no Unicode. Write it in "
                "UTF-8."
            ) from error
    return texts


def _no_query(received: str) -> ValueError:
    return ValueError(
        f"Expected queries of at least one word, such as 'violin', received {received}."
    )


def encode_queries(
    model: QueriedSeparator, queries: Sequence[str | Query], without: Sequence[str | Query] = ()
) -> QueryEmbedding:
    """Encodes queries of any kinds for one mixture, for `model.separate` and `separate_stream`.

    Args:
        model: the separator that will be asked.
        queries: what to look for.
        without: what is not wanted; it follows after the others.

    Shape:
        - returns: tokens (1, Q, L, D), pooled (1, Q, E)

    Raises:
        ValueError: for a query of a kind that the model was not trained for, and for what its
            encoder refuses.

    Examples:
        >>> from asteroid_bimodal.models import BiModalUNet
        >>> model = BiModalUNet.from_pretrained("mini")
        >>> bowed = Query.blend("bowed", [("violin", 0.7), ("cello", 0.3)])
        >>> encode_queries(model, ["flute", bowed]).num_queries
        2
    """
    asked = [Query.of(query) for query in (*queries, *without)]
    encoders: dict[str, QueryEncoder] = {}
    return concat_queries([_encode(model, query, encoders) for query in asked])


def _encode(
    model: QueriedSeparator, query: Query, encoders: dict[str, QueryEncoder]
) -> QueryEmbedding:
    parts = [encode_part(model, part.kind, part.content, encoders) for part in query.parts]
    weights = [part.weight for part in query.parts]
    return parts[0] if weights == [1] else mean_query(parts, weights)
