"""TextConditionedMixIT against asteroid.losses.MixITLossWrapper and known assignments."""

from __future__ import annotations

from itertools import product
from unittest.mock import patch

import pytest
import torch
from asteroid.losses import (
    MixITLossWrapper,
    PairwiseNegSDR,
    multisrc_mse,
    multisrc_neg_sdsdr,
    multisrc_neg_sisdr,
    multisrc_neg_snr,
    pairwise_mse,
    pairwise_neg_sisdr,
)
from asteroid.losses.sdr import MultiSrcNegSDR

from asteroid_bimodal.losses import LogWeightedL1, QuadraticForm, TextConditionedMixIT
from asteroid_bimodal.losses import mixit as mixit_module

QUADRATIC = {
    "mse": multisrc_mse,
    "snr": multisrc_neg_snr,
    "sisdr": multisrc_neg_sisdr,
    "sdsdr": multisrc_neg_sdsdr,
    "linear snr": MultiSrcNegSDR("snr", zero_mean=False, take_log=False),
}


def multisrc_l1(est, targets):
    return (est - targets).abs().flatten(1).mean(1)


def example(n_est=4, n_mix=2, batch=3, shape=(200,), dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    est = torch.randn(batch, n_est, *shape, dtype=dtype)
    mixtures = torch.randn(batch, n_mix, *shape, dtype=dtype)
    return est, mixtures


def count_calls(loss_func):
    def counted(*args, **kwargs):
        counted.calls += 1
        return loss_func(*args, **kwargs)

    counted.calls = 0
    return counted


@pytest.mark.parametrize("loss_func", [*QUADRATIC.values(), multisrc_l1], ids=[*QUADRATIC, "l1"])
@pytest.mark.parametrize("generalized", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_known_equals_asteroid(loss_func, generalized, dtype):
    est, mixtures = example(dtype=dtype)
    ours, theirs = (est.clone().requires_grad_() for _ in range(2))
    asteroid = MixITLossWrapper(loss_func, generalized=generalized)
    expected, expected_est = asteroid(theirs, mixtures, return_est=True)
    loss = TextConditionedMixIT(loss_func, generalized=generalized)
    unknown = torch.full(est.shape[:2], -1)
    value, value_est = loss(ours, mixtures, unknown, return_est=True)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(value_est, expected_est, rtol=1e-6, atol=1e-6)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-6)
    assert torch.equal(loss(est, mixtures), value)


@pytest.mark.parametrize("generalized", [True, False])
def test_three_mixtures_and_no_reduction(generalized):
    est, mixtures = example(n_est=6, n_mix=3)
    loss = TextConditionedMixIT(multisrc_neg_snr, reduction="none", generalized=generalized)
    value = loss(est, mixtures)
    assert value.shape == (3,)
    if generalized:
        losses = []
        for choice in product(range(3), repeat=6):
            mixing = torch.nn.functional.one_hot(torch.tensor(choice), 3).double().T
            losses.append(multisrc_neg_snr(mixing @ est, mixtures))
        expected = torch.stack(losses).amin(0)
    else:
        asteroid = MixITLossWrapper(multisrc_neg_snr, generalized=False, reduction="none")
        expected = asteroid(est, mixtures)[:, 0]
    torch.testing.assert_close(value, expected)


def test_quadratic_and_generic_searches_agree():
    for seed in range(5):
        est, mixtures = example(n_est=5, n_mix=3, batch=2, seed=seed)
        known = torch.tensor([[0, -1, -1, 2, -1], [-1, -1, 1, -1, -1]])
        for loss_func in QUADRATIC.values():
            fast = TextConditionedMixIT(loss_func)(est, mixtures, known)
            slow = TextConditionedMixIT(lambda e, t, f=loss_func: f(e, t))(est, mixtures, known)
            assert fast.item() == pytest.approx(slow.item(), rel=1e-12)


def test_all_known_does_not_search():
    est, mixtures = example()
    mixtures = torch.stack([est[:, 0] + est[:, 3], est[:, 1] + est[:, 2]], dim=1)
    loss_func = count_calls(multisrc_mse)
    with patch.object(mixit_module, "partition_codes", side_effect=AssertionError):
        value, mixed = TextConditionedMixIT(loss_func)(
            est, mixtures, torch.tensor([[0, 1, 1, 0]] * 3), return_est=True
        )
    assert loss_func.calls == 1
    assert value.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(mixed, mixtures)


def test_known_assignment_is_kept_even_where_it_costs():
    est, _ = example(batch=1)
    right = torch.stack([est[:, 0] + est[:, 1], est[:, 2] + est[:, 3]], dim=1)
    loss = TextConditionedMixIT(multisrc_mse)
    assert loss(est, right, torch.tensor([[0, -1, -1, -1]])).item() == pytest.approx(0, abs=1e-12)
    wrong = loss(est, right, torch.tensor([[1, -1, -1, -1]]))
    assert wrong.item() == pytest.approx((est[:, 0] ** 2).mean().item())


def test_partly_known_searches_only_the_unknown():
    est, mixtures = example(n_est=6)
    loss_func = count_calls(multisrc_l1)
    TextConditionedMixIT(loss_func)(est, mixtures, torch.tensor([[0, 0, 1, -1, 1, -1]] * 3))
    assert loss_func.calls == 2**2 + 1


def test_examples_of_one_batch_may_know_different_amounts():
    est, mixtures = example(batch=4)
    known = torch.tensor([[0, 1, 0, 1], [-1, -1, -1, -1], [1, -1, 0, -1], [-1, 0, -1, 1]])
    loss = TextConditionedMixIT(multisrc_neg_sisdr, reduction="none")
    together = loss(est, mixtures, known)
    for row in range(4):
        one = slice(row, row + 1)
        alone = loss(est[one], mixtures[one], known[one])
        assert together[row].item() == pytest.approx(alone.item())


def test_equal_numbers_respect_what_is_known():
    est, mixtures = example(batch=2)
    loss = TextConditionedMixIT(multisrc_mse, generalized=False)
    _, mixed = loss(est, mixtures, torch.tensor([[0, 0, -1, -1], [1, -1, 1, -1]]), return_est=True)
    torch.testing.assert_close(mixed[0, 0], est[0, 0] + est[0, 1])
    torch.testing.assert_close(mixed[1, 0], est[1, 1] + est[1, 3])


def test_weights_of_repeated_phrases():
    est, _ = example(n_est=3)
    est[:, 2] = est[:, 1]
    mixtures = torch.stack([est[:, 0], est[:, 1]], dim=1)
    weights = torch.tensor([[[1.0, 0, 0], [0, 0.5, 0.5]]] * 3)
    assert TextConditionedMixIT(multisrc_mse)(est, mixtures, weights).item() < 1e-12


def test_unequal_numbers_of_sources_and_a_single_mixture():
    est, _ = example(n_est=5)
    mixtures = torch.stack([est[:, :4].sum(1), est[:, 4]], dim=1)
    assert TextConditionedMixIT(multisrc_mse)(est, mixtures).item() < 1e-12
    single = est.sum(1, keepdim=True)
    assert TextConditionedMixIT(multisrc_mse)(est, single).item() < 1e-12


def test_spectrograms_and_weighted_l1():
    est, _ = example(shape=(8, 5))
    est = est.abs()
    mixtures = torch.stack([est[:, 0] + est[:, 2], est[:, 1] + est[:, 3]], dim=1)
    known = torch.tensor([[0, -1, -1, 1]] * 3)
    for loss_func in (multisrc_mse, LogWeightedL1(reduction="none")):
        assert TextConditionedMixIT(loss_func)(est, mixtures, known).item() < 1e-12


def test_keywords_reach_the_loss():
    est, mixtures = example(shape=(8, 5))
    reference = torch.rand(3, 1, 8, 5, dtype=torch.float64)
    loss_func = LogWeightedL1(reduction="none")
    known = torch.tensor([[0, 1, 1, 0]] * 3)
    mixed = torch.stack([est[:, 0] + est[:, 3], est[:, 1] + est[:, 2]], dim=1)
    value = TextConditionedMixIT(loss_func)(est, mixtures, known, reference=reference)
    assert value.item() == pytest.approx(loss_func(mixed, mixtures, reference).mean().item())


def test_pairwise_losses_count_their_diagonal():
    est, mixtures = example()
    pairs = [(pairwise_mse, multisrc_mse), (pairwise_neg_sisdr, multisrc_neg_sisdr)]
    for pairwise, multisrc in pairs:
        value = TextConditionedMixIT(pairwise)(est, mixtures)
        assert value.item() == pytest.approx(TextConditionedMixIT(multisrc)(est, mixtures).item())


def test_own_quadratic_form_is_used():
    class Energy(torch.nn.Module):
        quadratic_form = QuadraticForm(lambda dot, est, target, size: (est - target).abs())

        def forward(self, est, targets):
            return (est.square().sum(-1) - targets.square().sum(-1)).abs().mean(-1)

    est, mixtures = example()
    fast = TextConditionedMixIT(Energy())(est, mixtures)
    slow = TextConditionedMixIT(lambda e, t: Energy()(e, t))(est, mixtures)
    assert fast.item() == pytest.approx(slow.item())


def test_subclasses_of_asteroid_losses_are_not_mistaken():
    class Other(MultiSrcNegSDR):
        def forward(self, est, targets):
            return multisrc_l1(est, targets)

    est, mixtures = example()
    value = TextConditionedMixIT(Other("snr"))(est, mixtures)
    expected = MixITLossWrapper(multisrc_l1)(est, mixtures)
    assert value.item() == pytest.approx(expected.item())


def test_near_perfect_estimates_are_told_apart():
    """Energies of residuals vanish in single precision; the search must not."""
    torch.manual_seed(0)
    loud = torch.randn(1, 1, 8000) * 100
    quiet = torch.randn(1, 2, 8000) * 0.01
    est = torch.cat([loud, loud.flip(-1), quiet], dim=1)
    mixtures = torch.stack([est[:, 0] + est[:, 2], est[:, 1] + est[:, 3]], dim=1)
    assert TextConditionedMixIT(multisrc_mse)(est, mixtures).item() < 1e-9


def test_silence_has_finite_gradients():
    est = torch.zeros(1, 4, 100, requires_grad=True)
    for loss_func in (multisrc_mse, multisrc_neg_snr, PairwiseNegSDR("sisdr")):
        loss = TextConditionedMixIT(loss_func)(est, torch.randn(1, 2, 100))
        (grad,) = torch.autograd.grad(loss, est)
        assert torch.isfinite(loss) and torch.isfinite(grad).all()


def test_sixteen_unknown_estimates():
    est, _ = example(n_est=16, batch=1, shape=(1000,))
    assignment = torch.randint(2, (1, 16))
    mixing = torch.nn.functional.one_hot(assignment, 2).double().mT
    assert TextConditionedMixIT(multisrc_mse)(est, mixing @ est).item() < 1e-12


def test_half_precision():
    est, mixtures = example(dtype=torch.float32)
    loss = TextConditionedMixIT(multisrc_mse)
    half = loss(est.bfloat16(), mixtures.bfloat16())
    assert half.item() == pytest.approx(loss(est, mixtures).item(), rel=0.02)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(est, mixtures)
    assert torch.equal(inside, loss(est, mixtures))


@pytest.mark.parametrize("known", [None, [[0, 1, 1, 0]], [[0, -1, -1, 1]]])
def test_gradcheck(known):
    est, mixtures = example(batch=1, shape=(4,))
    known = None if known is None else torch.tensor(known)
    loss = TextConditionedMixIT(multisrc_mse)
    assert torch.autograd.gradcheck(lambda e: loss(e, mixtures, known), (est.requires_grad_(),))


def test_inputs_are_not_changed():
    est, mixtures = example()
    known = torch.tensor([[0, -1, -1, 1]] * 3)
    before = est.clone(), mixtures.clone(), known.clone()
    TextConditionedMixIT(multisrc_mse)(est, mixtures, known)
    assert all(torch.equal(a, b) for a, b in zip(before, (est, mixtures, known), strict=True))


@pytest.mark.parametrize(
    "assignment, match",
    [
        ([[0, 1, 2, 0]], r"-1 \(unknown\) to 1, received values from 0 to 2"),
        ([[0, 1, -2, 0]], "received values from -2"),
        ([[0, 1]], r"\(1, 4\) or .*\(1, 2, 4\), received \(1, 2\)"),
        ([[0.0, 1.0, 1.0, 0.0]], "integer"),
        ([[0, 0, 0, 0]], "none for mixture 1 of example 0"),
        ([[[1.0, 1, 1, 1], [0, 0, 0, 0]]], "none for mixture 1 of example 0"),
        ([[[1.0, 1, -1, 1], [0, 0, 1, 0]]], "negative"),
        ([[[1.0, 1, float("nan"), 1], [0, 0, 1, 0]]], "NaN"),
    ],
)
def test_assignment_errors(assignment, match):
    est, mixtures = example(batch=1)
    with pytest.raises(ValueError, match=match):
        TextConditionedMixIT(multisrc_mse)(est, mixtures, torch.tensor(assignment))


@pytest.mark.parametrize(
    "est, mixtures, match",
    [
        (torch.rand(2, 100), torch.rand(2, 2, 100), "est_sources: expected"),
        (torch.rand(2, 4, 100), torch.rand(2, 100), "mixtures: expected"),
        (torch.rand(2, 4, 100), torch.rand(3, 2, 100), "differ only in their second axis"),
        (torch.rand(2, 4, 100), torch.rand(2, 2, 99), "differ only in their second axis"),
        (torch.rand(2, 0, 100), torch.rand(2, 2, 100), "empty"),
        (torch.rand(2, 4, 100), torch.rand(2, 0, 100), "empty"),
        (torch.full((2, 4, 100), torch.nan), torch.rand(2, 2, 100), "NaN"),
        (torch.rand(2, 4, 100), torch.full((2, 2, 100), torch.inf), "infinity"),
    ],
)
def test_signal_errors(est, mixtures, match):
    with pytest.raises(ValueError, match=match):
        TextConditionedMixIT(multisrc_mse)(est, mixtures)


def test_other_errors():
    est, mixtures = example()
    with pytest.raises(ValueError, match="multisrc or pairwise"):
        TextConditionedMixIT(lambda e, t: (e - t).square().mean())(est, mixtures)
    with pytest.raises(ValueError, match="5 estimates to fill 2 mixtures equally"):
        loss = TextConditionedMixIT(multisrc_mse, generalized=False)
        loss(*example(n_est=5))
    with pytest.raises(ValueError, match="assign more of them from the text"):
        TextConditionedMixIT(multisrc_mse)(*example(n_est=24, shape=(4,)))
    with pytest.raises(ValueError, match="reduction"):
        TextConditionedMixIT(multisrc_mse, reduction="sum")
