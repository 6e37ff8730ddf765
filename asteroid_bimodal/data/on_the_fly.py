"""Examples drawn afresh in every epoch, each from a random seed of its own."""

from __future__ import annotations

import torch
from torch.utils.data import Dataset

from .batches import Example


class OnTheFlyDataset(Dataset):
    """A map-style data set of drawn examples; subclasses say how in `draw_example`.

    Item `i` of epoch `e` depends on (seed, e, i) alone. The training loop sets `epoch`.

    Args:
        epoch_size: examples per epoch.
        seed: random seed.
    """

    def __init__(self, epoch_size: int, seed: int):
        self.epoch_size, self.seed, self.epoch = epoch_size, seed, 0

    def __len__(self) -> int:
        return self.epoch_size

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.epoch_size:
            # Python ends a loop over a data set by this error.
            raise IndexError(f"Expected an index below {self.epoch_size}, received {index}.")
        generator = torch.Generator().manual_seed(mix_seed(self.seed, self.epoch, index))
        return self.draw_example(generator)

    def draw_example(self, generator: torch.Generator) -> Example:
        """Draws an example by a generator, on which alone it depends."""
        raise NotImplementedError


def mix_seed(*numbers: int) -> int:
    """Makes one seed of several numbers, well spread: neighbours share no random stream.

    Examples:
        >>> mix_seed(0, 1, 2) == mix_seed(0, 1, 2), mix_seed(0, 1, 2) == mix_seed(0, 2, 1)
        (True, False)
    """
    state = numbers[0] & 0xFFFFFFFF
    for value in numbers[1:]:
        state = (state * 6364136223846793005 + value + 1442695040888963407) % 2**64
        state ^= state >> 31
    return state % 2**63
