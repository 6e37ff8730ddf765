"""What maskers refuse, in one wording.

Letters in shapes: B mixtures, Q queries, E pooled size, F frequencies, T frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

MOST_LAYERS = 64  # one after another

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding


def check_input(log_mag: Tensor, query: QueryEmbedding, pooled_dim: int) -> None:
    """Refuses what a masker that looks at pooled queries alone cannot take."""
    check_spectrogram(log_mag)
    received = tuple(query.pooled.shape)
    if len(received) != 3 or received[0] != len(log_mag) or received[1] == 0:
        raise ValueError(
            f"Expected one or more queries for each of {len(log_mag)} mixtures, received pooled "
            f"queries of shape {received} for (B, Q, E)."
        )
    if received[2] != pooled_dim:
        raise ValueError(
            f"Expected queries of pooled size {pooled_dim}, received {received[2]}: use the query "
            "encoder that the network was built for, or its pooled_dim to build it."
        )


def check_spectrogram(log_mag: Tensor) -> None:
    if log_mag.ndim != 4 or log_mag.shape[1] != 1:
        raise ValueError(
            f"Expected log-magnitudes of shape (B, 1, F, T), received {tuple(log_mag.shape)}."
        )


def check_at_least(config: Mapping[str, Any], least: int, *names: str, most: int = 2**16) -> None:
    """Refuses arguments, `names` of `config`, that are too small or beyond all reason."""
    for name in names:
        if config[name] < least:
            raise ValueError(f"Expected {name} of {least} or more, received {config[name]}.")
        if config[name] > most:
            raise ValueError(f"Expected {name} of {most} or less, received {config[name]}.")
