"""Weighted L1 and hierarchical reconstruction against hand calculations."""

from __future__ import annotations

import math

import pytest
import torch

from asteroid_bimodal.losses import (
    HierarchicalReconstructionLoss,
    LogWeightedL1,
    LogWeightedL2,
)


def example(n_mix=2, n_phrases=3, shape=(8, 5), batch=2, dtype=torch.float64):
    torch.manual_seed(0)
    phrases = torch.rand(batch, n_mix, n_phrases, *shape, dtype=dtype)
    weights = torch.ones(batch, n_mix, n_phrases, dtype=dtype)
    return phrases, weights


def test_value_by_hand():
    est = torch.tensor([[1.0, 2.0]])
    target = torch.tensor([[0.0, 4.0]])
    reference = torch.tensor([[1.0, 3.0]])
    expected = (math.log(2) * 1 + math.log(4) * 2) / 2
    assert LogWeightedL1()(est, target, reference).item() == pytest.approx(expected)


def test_weight_is_clamped_on_both_sides():
    one = torch.ones(1, 2)
    loss = LogWeightedL1(low=0.5, high=2.0)
    value = loss(one, 0 * one, torch.tensor([[0.0, 1e9]]))
    assert value.item() == pytest.approx((0.5 + 2.0) / 2)


def test_reference_defaults_to_the_target_and_broadcasts():
    est, target = torch.rand(2, 3, 4), torch.rand(2, 3, 4)
    loss = LogWeightedL1(reduction="none")
    assert torch.equal(loss(est, target), loss(est, target, target))
    shared = torch.rand(2, 1, 4)
    assert torch.equal(loss(est, target, shared), loss(est, target, shared.expand(2, 3, 4)))


def test_negative_waveforms_weigh_as_much_as_positive_ones():
    est, target = torch.randn(2, 100), torch.randn(2, 100)
    loss = LogWeightedL1()
    assert loss(est, target, -target).item() == pytest.approx(loss(est, target, target).item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(50,), (8, 5)])
def test_exact_parts_give_zero_for_waveforms_and_magnitudes(shape, dtype):
    phrases, weights = example(shape=shape, dtype=dtype)
    mixtures = phrases.sum(2)
    terms = HierarchicalReconstructionLoss()(mixtures, phrases, mixtures, mixtures.sum(1), weights)
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-5
    assert terms.url.item() == 0
    assert terms.crl.item() == pytest.approx(0, abs=tolerance)
    assert terms.total.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_repeated_phrases_count_once():
    phrases, weights = example()
    phrases[:, :, 2] = phrases[:, :, 1]
    weights[:, :, 1:] = 0.5
    mixtures = phrases[:, :, 0] + phrases[:, :, 1]
    terms = HierarchicalReconstructionLoss()(mixtures, phrases, mixtures, mixtures.sum(1), weights)
    assert terms.crl.item() == pytest.approx(0, abs=1e-12)


def test_total_weighs_the_terms_and_mixtures_are_added():
    phrases, weights = example()
    mixtures = phrases.sum(2)
    total = mixtures.sum(1)
    captions = mixtures + 1
    terms = HierarchicalReconstructionLoss(2.0, 3.0)(
        captions, phrases * 2, mixtures, total, weights
    )
    # Every caption is off by one, so that URL is twice the mean weight of the total.
    assert terms.url.item() == pytest.approx(2 * total.log1p().mean().item())
    crl = sum((mixtures[:, n].log1p() * mixtures[:, n]).mean() for n in range(2))
    assert terms.crl.item() == pytest.approx(crl.item())
    assert terms.total.item() == pytest.approx(2 * terms.url.item() + 3 * terms.crl.item())


def test_none_reduction_gives_one_value_per_example():
    phrases, weights = example()
    mixtures = phrases.sum(2) + 0.1
    args = (mixtures * 2, phrases, mixtures, mixtures.sum(1), weights)
    each = HierarchicalReconstructionLoss(reduction="none")(*args)
    assert each.total.shape == (2,)
    whole = HierarchicalReconstructionLoss()(*args).total.item()
    assert each.total.mean().item() == pytest.approx(whole)


def test_gradcheck():
    phrases, weights = example(shape=(2, 3), batch=1)
    mixtures = phrases.sum(2) + 0.3
    captions = (mixtures + 0.2).requires_grad_()
    phrases.requires_grad_()

    def total(captions, phrases):
        loss = HierarchicalReconstructionLoss()
        return loss(captions, phrases, mixtures, mixtures.sum(1), weights).total

    assert torch.autograd.gradcheck(total, (captions, phrases))


def test_weighted_l1_errors():
    loss = LogWeightedL1()
    x = torch.rand(2, 3)
    with pytest.raises(
        ValueError, match=r"expected the shape of est = \(2, 3\), received \(2, 4\)"
    ):
        loss(x, torch.rand(2, 4), x)
    with pytest.raises(ValueError, match="broadcasts"):
        loss(x, x, torch.rand(5, 3))
    with pytest.raises(ValueError, match="NaN"):
        loss(x * torch.nan, x, x)
    with pytest.raises(ValueError, match="empty"):
        loss(torch.rand(0, 3), torch.rand(0, 3), torch.rand(0, 3))
    with pytest.raises(ValueError, match="low <= high"):
        LogWeightedL1(2.0, 1.0)
    with pytest.raises(ValueError, match="reduction"):
        LogWeightedL1(reduction="sum")


@pytest.mark.parametrize(
    "place, shape, name",
    [
        (0, (2, 3, 8, 5), "est_captions"),
        (1, (2, 3, 8, 5), "est_phrases"),
        (1, (2, 3, 3, 8, 5), "est_phrases"),
        (2, (8, 5), "mixtures"),
        (3, (2, 2, 8, 5), "total"),
        (4, (2, 2, 4), "phrase_weights"),
    ],
)
def test_hierarchical_errors_name_the_argument(place, shape, name):
    phrases, weights = example()
    mixtures = phrases.sum(2)
    args = [mixtures, phrases, mixtures, mixtures.sum(1), weights]
    args[place] = torch.rand(shape)
    with pytest.raises(ValueError, match=f"{name}: expected"):
        HierarchicalReconstructionLoss()(*args)


def test_squared_distance_has_the_mean_as_its_best_estimate_where_the_absolute_has_the_median():
    """A place of magnitude 1 belongs to a sound in 3 of 10 mixtures."""
    target = (torch.arange(10) < 3).float().view(10, 1, 1)
    mixture = torch.ones(10, 1, 1)
    masks = torch.linspace(0, 1, 101)
    best = {
        loss: masks[torch.stack([loss(mask * mixture, target, mixture) for mask in masks]).argmin()]
        for loss in (LogWeightedL1(), LogWeightedL2())
    }
    assert [round(mask.item(), 2) for mask in best.values()] == [0.0, 0.3]


def test_squared_distance_equals_that_of_masks():
    reference = torch.rand(2, 5, 7) + 0.5
    masks, truth = torch.rand(2, 2, 5, 7).unbind()
    loss = LogWeightedL2()(masks * reference, truth * reference, reference)
    expected = reference.log1p() * reference**2 * (masks - truth) ** 2 / (reference + 0.01)
    torch.testing.assert_close(loss, expected.mean())
    silence = torch.zeros(2, 5, 7)
    assert LogWeightedL2()(silence, silence, silence) == 0
