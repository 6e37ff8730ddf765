"""What a training step asks of a batch: by words, by pictures, or by the numbers of outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..data.batches import Batch
from ..queries import QueryEmbedding, QueryEncoder, mean_query
from ..queries.image import ImageEncoder

KINDS = ("captions", "phrases", "absent", "outputs")


def ask(encoder: QueryEncoder, batch: Batch, needs: Iterable[str]) -> dict[str, QueryEmbedding]:
    """Encodes the queries of a batch, by kind.

    With pictures a phrase is a frame of its source, and a caption all frames of its mixture
    together.

    Args:
        encoder: reads the queries.
        batch: B examples of N mixtures with P phrases each.
        needs: of `KINDS`, what to ask for; others are left out.

    Returns:
        Of each kind asked for, N captions, N * P phrases, the absent sounds or all outputs.

    Raises:
        ValueError: when pictures are needed and the batch has none.
    """
    if isinstance(encoder, ImageEncoder):
        questions = _with_pictures(encoder, batch)
    else:
        questions = {
            "captions": lambda: encoder(batch.captions),
            "phrases": lambda: encoder(batch.flat_phrases),
            "absent": lambda: encoder(batch.absent),
            "outputs": lambda: encoder([encoder.slots] * len(batch.captions)),
        }
    return {kind: questions[kind]() for kind in KINDS if kind in needs}


def _with_pictures(encoder: ImageEncoder, batch: Batch) -> dict[str, Callable[[], QueryEmbedding]]:
    def captions() -> QueryEmbedding:
        places = range(len(batch.frames[0][0]))
        return mean_query(
            [
                encoder([[frames[place] for frames in example] for example in batch.frames])
                for place in places
            ]
        )

    def refuse() -> QueryEmbedding:
        raise ValueError(
            "Expected loss terms of captions and phrases for a system that is asked with pictures, "
            "received one of absent sounds or outputs. Leave it out of loss.terms."
        )

    if not any(batch.frames):
        raise ValueError(
            "Expected a frame for each phrase, received none: set data.frames for a system that is "
            "asked with pictures."
        )
    return {
        "captions": captions,
        "phrases": lambda: encoder(batch.flat_frames),
        "absent": refuse,
        "outputs": refuse,
    }
