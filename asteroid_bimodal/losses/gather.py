"""What the processes that train together know of each other's batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather


def gather_rows(rows: Tensor) -> tuple[Tensor, slice]:
    """Joins the rows (M, E) of W processes, with gradient, as (W M, E); says which are one's own.

    The gradient is of all processes' losses together: averaged over processes, as
    DistributedDataParallel does, it is that of the mean loss.
    """
    if count_ranks() == 1:
        return rows, slice(None)
    begin = distributed.get_rank() * len(rows)
    return torch.cat(all_gather(rows)), slice(begin, begin + len(rows))


def gather_texts(texts: Sequence[str]) -> list[str]:
    """Joins the texts of all processes, each once, in alphabetical order."""
    found = [texts] * count_ranks()
    if len(found) > 1:
        distributed.all_gather_object(found, texts)
    return sorted({text for some in found for text in some})


def count_ranks() -> int:
    """Counts the processes that train together."""
    together = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if together else 1
