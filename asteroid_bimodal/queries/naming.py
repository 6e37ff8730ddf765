"""File names of outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..utils.files import safe_name
from .query import Query

RESIDUAL = "residual"


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


def split_queries(*texts: str) -> list[str]:
    """Splits texts of queries at commas, semicolons and ends of lines; repetitions count once.

    Args:
        *texts: what somebody wrote.

    Examples:
        >>> split_queries("violin, acoustic  guitar", "violin")
        ['violin', 'acoustic guitar']
    """
    parts = (" ".join(part.split()) for text in texts for part in re.split(r"[\n,;]", text))
    return list(dict.fromkeys(filter(None, parts)))


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
