"""The cheapest pairing of estimates and targets."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def best_permutation(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the pairing with the least mean loss.

    Asteroid 0.7.0's `PITLossWrapper.find_best_perm` fails on bfloat16 from four sources on and
    rounds the losses under autocast; this one does neither.

    Args:
        pairs: losses of every estimate with every target, (B, N, N), finite.

    Returns:
        The mean loss of the best pairing (B,), and which estimate goes to each target (B, N).

    Examples:
        >>> losses, order = best_permutation(torch.tensor([[[5.0, 1.0], [0.0, 9.0]]]))
        >>> losses.tolist(), order.tolist()
        ([0.5], [[1, 0]])
    """
    costs = pairs.detach().cpu().double().numpy()
    orders = [linear_sum_assignment(example.T)[1] for example in costs]
    order = torch.from_numpy(np.stack(orders)).to(pairs.device)  # (B, N)
    return pairs.gather(1, order.unsqueeze(1)).squeeze(1).mean(1), order
