"""The terms of systems that are asked with pictures."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, cross_entropy

from asteroid_bimodal.losses.composite import SeparatorOutputs
from asteroid_bimodal.losses.terms import (
    NIT,
    BinaryMasks,
    CoSeparation,
    dominance,
)


def draw(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def estimates(n_mix=2, **changes):
    mixtures = 3 * draw(2, n_mix, 6, 5)
    return SeparatorOutputs(**{"total": mixtures.sum(1), "mixtures": mixtures, **changes})


def weighted_bce(masks, found):
    """Mean over places of log(1 + |M|) times the cross-entropy with what dominates."""
    target = torch.stack(
        [
            (found.mixtures[:, i : i + 1] >= found.mixtures).all(1).float()
            for i in range(found.mixtures.shape[1])
        ],
        dim=1,
    )
    weight = found.total.log1p().clamp(1e-3, 10)[:, None]
    return weight * binary_cross_entropy(masks, target, reduction="none")


@pytest.mark.parametrize("n_mix", [2, 3])
def test_one_mixture_dominates_in_each_place(n_mix):
    mixtures = draw(2, n_mix, 6, 5)
    masks = dominance(mixtures)
    assert torch.equal(masks.sum(1), torch.ones(2, 6, 5))
    torch.testing.assert_close((masks * mixtures).sum(1), mixtures.amax(1))
    assert torch.equal(dominance(torch.zeros(1, n_mix, 2, 2)).sum(1), torch.ones(1, 2, 2))


@pytest.mark.parametrize("n_mix", [2, 3])
def test_binary_masks_by_hand(n_mix):
    found = estimates(n_mix, caption_masks=draw(2, n_mix, 6, 5, seed=1))
    expected = n_mix * weighted_bce(found.caption_masks, found).mean()
    torch.testing.assert_close(BinaryMasks()(found).mean(), expected)


def test_the_right_masks_cost_nothing_and_swapped_ones_much():
    found = estimates()
    right = dominance(found.mixtures)
    losses = [
        BinaryMasks()(estimates(caption_masks=masks)).mean() for masks in (right, right.flip(1))
    ]
    assert losses[0] == 0 and losses[1] > 10


def test_noise_may_complete_the_masks_in_any_order():
    found = estimates()
    target = dominance(found.mixtures)
    hidden = torch.zeros_like(target)
    hidden[:, 0, :, 0] = 0.5 * target[:, 0, :, 0]
    for noise in (hidden, hidden.flip(1)):
        given = estimates(caption_masks=target - hidden, noise_masks=noise)
        assert NIT()(given).mean() == 0
        assert BinaryMasks()(given).mean() > 0


def test_noise_invariance_by_hand():
    masks, noise = 0.5 * draw(2, 2, 6, 5, seed=1), 0.5 * draw(2, 2, 6, 5, seed=2)
    found = estimates(caption_masks=masks, noise_masks=noise)
    orders = [
        weighted_bce(masks + noise[:, list(order)], found).mean((1, 2, 3))
        for order in permutations(range(2))
    ]
    excess = (noise.mean((2, 3)).sum(1) - 0.25).relu()
    expected = 2 * (torch.stack(orders).amin(0) + 0.1 * excess).mean()
    torch.testing.assert_close(NIT()(found).mean(), expected)


class Loudest(nn.Module):
    """A classifier whose logits are the mean magnitudes of three bands."""

    def forward(self, magnitude):
        return magnitude.unflatten(1, (3, 2)).mean((2, 3))


def test_co_separation_by_hand():
    labels = torch.tensor([[0, 2, 1, 1], [2, 1, 0, 0]])
    masks, weights = draw(2, 2, 2, 6, 5, seed=1), torch.tensor([[[1.0, 1], [0.5, 0.5]]] * 2)
    found = estimates(phrase_masks=masks, phrase_weights=weights, phrase_labels=labels)
    together = (weights[..., None, None] * masks).sum(2)  # (B, N, F, T)
    target = (found.mixtures / found.total[:, None]).clamp(max=5)
    weight = found.total.log1p()[:, None]
    separation = (weight * (together - target).abs()).mean((2, 3)).sum(1).mean()
    heard = Loudest()((masks.flatten(1, 2) * found.total[:, None]).flatten(0, 1))
    expected = separation + 0.05 * cross_entropy(heard, labels.flatten())
    torch.testing.assert_close(CoSeparation(Loudest())(found).mean(), expected)


def test_the_classifier_of_co_separation_learns_beside():
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(30, 3))
    term = CoSeparation(classifier)
    masks = draw(2, 2, 2, 6, 5, seed=1).requires_grad_()
    labels = torch.zeros(2, 4, dtype=torch.long)
    term(
        estimates(phrase_masks=masks, phrase_weights=torch.ones(2, 2, 2), phrase_labels=labels)
    ).mean().backward()
    assert masks.grad.abs().sum() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in term.parameters())


def test_masks_are_not_scaled_with_the_level():
    found = estimates(caption_masks=draw(2, 2, 6, 5, seed=1))
    assert torch.equal(found.normalised().caption_masks, found.caption_masks)
