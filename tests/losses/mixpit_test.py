"""MixPIT against asteroid.losses.PITLossWrapper and known permutations."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from asteroid.losses import (
    PITLossWrapper,
    multisrc_neg_sisdr,
    pairwise_mse,
    pairwise_neg_sisdr,
    singlesrc_neg_sisdr,
)

from asteroid_bimodal.losses import MixPITLossWrapper
from asteroid_bimodal.losses.mixpit import best_permutation

KINDS = [
    ("pw_mtx", pairwise_neg_sisdr),
    ("pw_pt", singlesrc_neg_sisdr),
    ("perm_avg", multisrc_neg_sisdr),
]


@pytest.mark.parametrize("n_mix", [2, 3, 5])
def test_known_permutations_give_zero(n_mix):
    mixtures = torch.randn(4, n_mix, 300)
    order = torch.stack([torch.randperm(n_mix) for _ in range(4)])
    est = PITLossWrapper.reorder_source(mixtures, order)
    loss, reordered = MixPITLossWrapper(pairwise_mse)(est, mixtures, return_est=True)
    assert loss.item() == 0
    assert torch.equal(reordered, mixtures)


@pytest.mark.parametrize("pit_from, loss_func", KINDS, ids=[kind for kind, _ in KINDS])
def test_equals_asteroid(pit_from, loss_func):
    est, mixtures = torch.randn(4, 3, 300), torch.randn(4, 3, 300)
    ours, theirs = (est.clone().requires_grad_() for _ in range(2))
    value = MixPITLossWrapper(loss_func, pit_from)(ours, mixtures)
    expected = PITLossWrapper(loss_func, pit_from)(theirs, mixtures)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_keeps_the_batch_axis():
    est, mixtures = torch.randn(4, 2, 300), torch.randn(4, 2, 300)
    each = MixPITLossWrapper(pairwise_mse, reduction="none")(est, mixtures)
    assert each.shape == (4,)
    whole = MixPITLossWrapper(pairwise_mse)(est, mixtures)
    assert each.mean().item() == pytest.approx(whole.item())


def test_spectrograms_and_gradcheck():
    est = torch.rand(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    mixtures = torch.rand(2, 2, 3, 2, dtype=torch.float64)
    loss = MixPITLossWrapper(pairwise_mse)
    assert torch.autograd.gradcheck(lambda est: loss(est, mixtures), (est,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_half_precision(dtype):
    mixtures = torch.randn(2, 4, 300, dtype=dtype)
    assert MixPITLossWrapper(pairwise_mse)(mixtures.flip(1), mixtures).item() == 0


def test_errors():
    loss = MixPITLossWrapper(pairwise_mse)
    two = torch.randn(1, 2, 300)
    with pytest.raises(ValueError, match=r"\(1, 2, 300\), received \(1, 3, 300\)"):
        loss(torch.randn(1, 3, 300), two)
    with pytest.raises(ValueError, match="est_sources: .*NaN"):
        loss(two * torch.nan, two)
    with pytest.raises(ValueError, match="use a pairwise loss"):
        MixPITLossWrapper(multisrc_neg_sisdr)(two, two)
    with pytest.raises(ValueError, match="pit_from: .*received 'pairwise'"):
        MixPITLossWrapper(pairwise_mse, pit_from="pairwise")


@pytest.mark.parametrize("n_src", [1, 2, 3, 5])
def test_the_best_pairing_against_all_permutations(n_src):
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


@pytest.mark.parametrize("pit_from, loss_func", KINDS[:2], ids=["pw_mtx", "pw_pt"])
def test_reduces_the_losses_of_an_order_as_asteroid_does(pit_from, loss_func):
    est, mixtures, weights = torch.randn(4, 3, 300), torch.randn(4, 3, 300), torch.rand(4, 1, 3)

    def worst(losses, weights):
        return (losses * weights).amax(-1)

    options = {"return_est": True, "reduce_kwargs": {"weights": weights}}
    value, ordered = MixPITLossWrapper(loss_func, pit_from, worst)(est, mixtures, **options)
    expected, reference = PITLossWrapper(loss_func, pit_from, worst)(est, mixtures, **options)
    torch.testing.assert_close(value, expected)
    assert torch.equal(ordered, reference)
