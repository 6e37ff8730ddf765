"""The loader of examples, and how processes share a list among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch.utils.data import DataLoader, Dataset, DistributedSampler

from .batches import UnusableClipsError


class ExampleLoader(DataLoader):
    """A DataLoader that raises what its workers found of `UnusableClipsError`, with all it holds.

    Its workers live as long as it does.

    Args:
        dataset: of examples.
        collate_fn: stacks them.
        timeout: seconds to wait for a batch of the workers before an error, 0 for ever.
        **options: others of DataLoader.
    """

    def __init__(
        self, dataset: Dataset, *, collate_fn: Callable, timeout: float = 0, **options: Any
    ):
        workers = options.get("num_workers", 0)
        stack = partial(_stack, collate_fn)
        options |= {"timeout": timeout if workers else 0, "persistent_workers": workers > 0}
        super().__init__(dataset, collate_fn=stack, **options)

    def __iter__(self) -> Any:
        for batch in super().__iter__():
            if isinstance(batch, UnusableClipsError):
                raise batch
            yield batch


class OwnItems(DistributedSampler):
    """The items of a list that are this process's own: each is some process's, none that of two.

    Args:
        dataset: the list.
    """

    def __init__(self, dataset: Dataset):
        super().__init__(dataset, num_replicas=1, rank=0, shuffle=False)

    def share(self, rank: int, ranks: int) -> None:
        """Tells which of how many processes this one is."""
        self.rank, self.num_replicas = rank, ranks

    def __iter__(self) -> Iterator[int]:
        return iter(self._own())

    def __len__(self) -> int:
        return len(self._own())

    def _own(self) -> range:
        return range(self.rank, len(self.dataset), self.num_replicas)  # type: ignore[arg-type]


def _stack(collate: Callable, examples: list) -> Any:
    try:
        return collate(examples)
    except UnusableClipsError as error:  # a worker's would arrive as text
        return error
