"""Asking a separator for the sources of test mixtures, whatever its queries are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..data.datasets import EvaluationItem
from ..metrics import match_outputs
from ..queries import OutputSlots
from ..queries.image import ImageEncoder


def separate_items(model, items: Sequence[EvaluationItem]) -> list[Tensor]:
    """Separates test mixtures into one estimate per source, in the order of the sources.

    A separator that takes queries is asked for each source by its phrase, or by its frame where
    queries are pictures. One that does not gives outputs in an order of its own: those that fit the
    references best are taken, as is usual for such systems.

    Args:
        model: a separator.
        items: with mixtures of the same length.

    Returns:
        (K, T) for each item, on the CPU.
    """
    wavs = torch.stack([item.mixture for item in items]).to(model.device)
    if isinstance(model.query_encoder, OutputSlots):
        outputs = model(wavs, model.query_encoder.slots).float().cpu()  # (B, S, T)
        return [
            match_outputs(output, item.references)
            for output, item in zip(outputs, items, strict=True)
        ]
    pictures = isinstance(model.query_encoder, ImageEncoder)
    queries = [item.frames if pictures else item.phrases for item in items]
    return list(model(wavs, queries).float().cpu())
