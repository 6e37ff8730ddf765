"""Noise invariant training: known permutations and hand calculations."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asteroid_bimodal.losses import LogWeightedBCE, LogWeightedL1, NoiseInvariantLoss


def masks(n_src=2, batch=3, shape=(8, 5), seed=0):
    torch.manual_seed(seed)
    target = torch.rand(batch, n_src, *shape, dtype=torch.float64).round()
    est = torch.rand(batch, n_src, *shape, dtype=torch.float64)
    noise = torch.rand(batch, n_src, *shape, dtype=torch.float64) * 0.5
    return est, noise, target, torch.rand(batch, *shape, dtype=torch.float64) * 4


def weighted_bce(est, target, reference):
    weight = reference.log1p().clamp(1e-3, 10)
    return F.binary_cross_entropy(est, target, weight, reduction="none").flatten(1).mean(1)


def test_weighted_bce_equals_torch():
    est, _, target, reference = masks()
    value = LogWeightedBCE(reduction="none")(est[:, 0], target[:, 0], reference)
    torch.testing.assert_close(value, weighted_bce(est[:, 0], target[:, 0], reference))


def test_two_sources_by_hand():
    est, noise, target, reference = masks()

    def pair(i, j):
        together = torch.minimum(torch.ones_like(est[:, i]), est[:, i] + noise[:, j])
        return weighted_bce(together, target[:, i], reference)

    straight, crossed = (pair(0, 0) + pair(1, 1)) / 2, (pair(0, 1) + pair(1, 0)) / 2
    excess = (noise.mean(dim=(2, 3)).sum(1) - 0.25).clamp(min=0)
    terms = NoiseInvariantLoss(0.25, 0.7, reduction="none")(est, noise, target, reference)
    torch.testing.assert_close(terms.separation, torch.minimum(straight, crossed))
    torch.testing.assert_close(terms.excess, excess)
    torch.testing.assert_close(terms.total, terms.separation + 0.7 * excess)


@pytest.mark.parametrize("n_src", [1, 2, 3, 4])
def test_noise_in_any_order_completes_the_queries(n_src):
    _, _, target, reference = masks(n_src)
    unseen = target * 0.3
    order = torch.randperm(n_src)
    loss = NoiseInvariantLoss(max_noise=10.0)
    terms = loss(target - unseen, unseen[:, order], target, reference)
    assert terms.total.item() == pytest.approx(0, abs=1e-12)


def test_without_noise_is_plain_mix_and_separate():
    est, noise, target, reference = masks()
    terms = NoiseInvariantLoss()(est, noise * 0, target, reference)
    plain = sum(weighted_bce(est[:, i], target[:, i], reference) for i in range(2)) / 2
    assert terms.separation.item() == pytest.approx(plain.mean().item())
    assert terms.excess.item() == 0


def test_noise_that_takes_everything_is_punished():
    _, _, target, reference = masks()
    terms = NoiseInvariantLoss(max_noise=0.25)(target * 0, target, target, reference)
    assert terms.separation.item() == pytest.approx(0, abs=1e-12)
    assert terms.excess.item() == pytest.approx(
        (target.mean(dim=(2, 3)).sum(1) - 0.25).clamp(min=0).mean().item()
    )


def test_another_distance():
    est, noise, target, reference = masks()
    loss = NoiseInvariantLoss(distance=LogWeightedL1(reduction="none"))
    assert math.isfinite(loss(est, noise, target, reference).total.item())


def test_gradcheck_and_saturated_masks():
    est, noise, target, reference = masks(batch=1, shape=(2, 2))
    est, noise = (est * 0.4).requires_grad_(), noise.requires_grad_()
    loss = NoiseInvariantLoss()
    total = lambda est, noise: loss(est, noise, target, reference).total  # noqa: E731
    assert torch.autograd.gradcheck(total, (est, noise))
    for level in (0.0, 1.0):
        full = torch.full_like(est, level).requires_grad_()
        total(full, full).backward()
        assert torch.isfinite(full.grad).all()


def test_autocast_and_half_precision():
    est, noise, target, reference = (tensor.float() for tensor in masks())
    loss = NoiseInvariantLoss()
    expected = loss(est, noise, target, reference).total.item()
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(est, noise, target, reference).total.item() == pytest.approx(expected)
    half = loss(est.bfloat16(), noise.bfloat16(), target.bfloat16(), reference)
    assert half.total.item() == pytest.approx(expected, rel=0.05)


def test_errors():
    est, noise, target, reference = masks()
    loss = NoiseInvariantLoss()
    with pytest.raises(ValueError, match="noise_masks: expected the shape of est_masks"):
        loss(est, noise[:, :1], target, reference)
    with pytest.raises(ValueError, match="est_masks: expected the shape of target_masks"):
        loss(est[:, :1], noise[:, :1], target, reference)
    with pytest.raises(ValueError, match="reference"):
        loss(est, noise, target, reference[:, :3])
    with pytest.raises(ValueError, match="mask from 0 to 1"):
        loss(est - 2, noise, target, reference)
    with pytest.raises(ValueError, match="NaN"):
        loss(est, noise * torch.nan, target, reference)
