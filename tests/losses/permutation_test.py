"""The best pairing against all permutations."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from asteroid_bimodal.losses.permutation import best_permutation


@pytest.mark.parametrize("n_src", [1, 2, 3, 5])
def test_against_all_permutations(n_src):
    torch.manual_seed(0)
    pairs = torch.randn(4, n_src, n_src, dtype=torch.float64)
    targets = torch.arange(n_src)
    every = [pairs[:, list(order), targets].mean(1) for order in permutations(range(n_src))]
    losses, order = best_permutation(pairs)
    torch.testing.assert_close(losses, torch.stack(every).amin(0))
    chosen = torch.stack([pairs[b, order[b], targets].mean() for b in range(4)])
    torch.testing.assert_close(losses, chosen)


def test_four_sources_in_half_precision_and_no_rounding_under_autocast():
    pairs = torch.randn(2, 4, 4)
    assert best_permutation(pairs.bfloat16())[0].dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        inside = best_permutation(pairs)[0]
    assert torch.equal(inside, best_permutation(pairs)[0])
