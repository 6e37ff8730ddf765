"""What a variant of this example consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asteroid.engine.system import System
from asteroid.models import BaseModel
from torch import nn

from asteroid_bimodal.data.batches import Batch


@dataclass(frozen=True)
class Variant:
    """A way to train Asteroid's ConvTasNet with this package's losses.

    Attributes:
        system: Asteroid's System, or what adapts it.
        model: the separator.
        loss: `(estimates, targets)` to a scalar; its `remix(estimates, targets)` gives the
            estimated mixtures (B, N, T), and targets begin with the true ones.
        train_pair: turns a batch into (inputs, targets), as Asteroid's System expects them.
        valid_pair: the same for validation.
    """

    system: type[System]
    model: BaseModel
    loss: nn.Module
    train_pair: Callable[[Batch], tuple]
    valid_pair: Callable[[Batch], tuple]
