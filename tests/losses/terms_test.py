"""The terms that other systems are trained with."""

from __future__ import annotations

from itertools import permutations, product

import pytest
import torch
from torch import nn

from asteroid_bimodal.losses import LogWeightedL1
from asteroid_bimodal.losses.composite import SeparatorOutputs
from asteroid_bimodal.losses.reconstruction import DISTANCES
from asteroid_bimodal.losses.terms import (
    CNT,
    PIT,
    AbsentSounds,
    Consistency,
    MixIT,
    WeakLabels,
)


def draw(*shape, seed=0):
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def estimates(**changes):
    mixtures = draw(2, 2, 6, 5)
    return SeparatorOutputs(**{"total": mixtures.sum(1), "mixtures": mixtures, **changes})


def test_pit_finds_the_best_order_of_all():
    found = estimates(outputs=draw(2, 2, 6, 5, seed=1))
    distance = LogWeightedL1(reduction="none")
    best = torch.stack(
        [
            sum(
                distance(found.outputs[:, order[i]], found.mixtures[:, i], found.total)
                for i in range(2)
            )
            for order in permutations(range(2))
        ]
    ).amin(0)
    torch.testing.assert_close(PIT()(found).mean(), best.mean())


def test_pit_of_the_truth_in_any_order_is_zero():
    found = estimates()
    swapped = estimates(outputs=found.mixtures.flip(1))
    assert PIT()(swapped).mean() == 0


def test_mixit_finds_the_best_of_all_assignments():
    found = estimates(outputs=draw(2, 4, 6, 5, seed=1))
    distance = LogWeightedL1(reduction="none")
    losses = []
    for choice in product(range(2), repeat=4):
        assignment = torch.nn.functional.one_hot(torch.tensor(choice), 2).T.float()  # (N, S)
        mixed = torch.einsum("ns,bsft->bnft", assignment, found.outputs)
        total = found.total.unsqueeze(1).expand_as(mixed)
        losses.append(distance(mixed, found.mixtures, total))
    best = torch.stack(losses).amin(0)
    torch.testing.assert_close(MixIT()(found).mean(), 2 * best.mean())


def test_mixit_of_the_parts_is_zero():
    parts = draw(2, 4, 6, 5)
    mixtures = torch.stack([parts[:, 0] + parts[:, 3], parts[:, 1] + parts[:, 2]], dim=1)
    found = SeparatorOutputs(total=mixtures.sum(1), mixtures=mixtures, outputs=parts)
    torch.testing.assert_close(MixIT()(found).mean(), torch.tensor(0.0))


@pytest.mark.parametrize("distance", DISTANCES.values())
def test_mixit_does_not_take_the_input_itself_for_its_parts(distance):
    """Where two mixtures sound in bands of their own, nothing is a worse answer than half of it."""
    bands = torch.eye(2).view(1, 2, 2, 1).expand(3, 2, 2, 5)  # (B, N, F, T)
    total = bands.sum(1)
    whole = torch.stack([total, total, 0 * total, 0 * total], dim=1)
    term = MixIT(distance(reduction="none"))
    all_of_it, nothing = (
        term(SeparatorOutputs(total=total, mixtures=bands, outputs=outputs))
        for outputs in (whole, 0 * whole)
    )
    torch.testing.assert_close(all_of_it, nothing)
    assert nothing.min() > 0.3


def test_consistency_is_of_all_estimates_together():
    phrases, weights = draw(2, 2, 3, 6, 5, seed=1), draw(2, 2, 3, seed=2)
    found = estimates(phrases=phrases, phrase_weights=weights)
    added = torch.einsum("bnp,bnpft->bft", weights, phrases)
    expected = (found.total.log1p().clamp(1e-3, 10) * (added - found.total).abs()).mean((1, 2))
    torch.testing.assert_close(Consistency()(found), expected)
    parts = torch.stack([found.mixtures, 0 * found.mixtures, 0 * found.mixtures], dim=2).flip(1)
    same = estimates(phrases=parts, phrase_weights=torch.ones(2, 2, 3))
    torch.testing.assert_close(Consistency()(same), torch.zeros(2))


def test_absent_sounds_cost_what_is_let_through():
    found = estimates(absent=draw(2, 3, 6, 5, seed=1))
    weight = found.total.log1p().clamp(1e-3, 10)
    expected = (weight[:, None] * found.absent).mean()
    torch.testing.assert_close(AbsentSounds()(found).mean(), expected)
    assert AbsentSounds()(estimates(absent=torch.zeros(2, 3, 6, 5))).mean() == 0


class Bands(nn.Module):
    """Class c sounds in band c alone."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, magnitude):
        return self.gain * (20 * magnitude.mean(2) - 10)


def banded(labels):
    """SeparatorOutputs (B, N, P, F, T) of which each sounds in the band of its label."""
    bands = nn.functional.one_hot(torch.tensor(labels), 4).float()
    return bands.view(1, 2, 2, 4, 1).expand(-1, -1, -1, -1, 5)


@pytest.mark.parametrize("joint", [False, True])
def test_the_class_term_knows_right_from_wrong(joint):
    labels = torch.tensor([[0, 2, 1, 3]])
    term = WeakLabels(Bands(), joint=joint)
    right, wrong = (
        SeparatorOutputs(
            total=torch.ones(1, 4, 5),
            mixtures=torch.ones(1, 2, 4, 5),
            phrases=banded(order).requires_grad_(),
            phrase_labels=labels,
        )
        for order in ([0, 2, 1, 3], [2, 0, 1, 3])
    )
    assert term(right) < 0.01 < term(wrong)
    term(wrong).backward()
    assert wrong.phrases.grad.abs().sum() > 0
    assert (term.loss.classifier.gain.grad is not None) == joint


def test_normalised_magnitudes_are_in_units_of_their_example():
    found = estimates(outputs=draw(2, 4, 6, 5, seed=1), absent=draw(2, 1, 6, 5, seed=2))
    louder = SeparatorOutputs(
        **{name: 7 * getattr(found, name) for name in ("total", "mixtures", "outputs", "absent")}
    )
    one, other = found.normalised(), louder.normalised()
    for name in ("total", "mixtures", "outputs", "absent"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert one.captions is None
    torch.testing.assert_close(one.total.mean((1, 2)), torch.ones(2))


class HighAndLow(nn.Module):
    """Hears the energy of two bands; knows a word for each and one for both."""

    sample_rate, logit_scale = 8000, 10.0

    def embed_audio(self, wav, sample_rate):
        low, high = wav.reshape(len(wav), -1, 2).square().mean(1).T
        return torch.stack([low, high], dim=-1)

    def embed_text(self, texts):
        known = {"low": [1.0, 0.0], "high": [0.0, 1.0], "low and high": [0.7071, 0.7071]}
        return torch.tensor([known[text] for text in texts])


def phrase_similarity(leak, against_captions, phrases=("low", "high"), captions=("low and high",)):
    wavs = torch.tensor([[[1.0, leak], [leak, 1.0]]]).repeat(1, 1, 50)
    parts = estimates(
        phrases=draw(1, len(captions), 2 // len(captions), 6, 5),
        phrase_wavs=wavs,
        phrase_texts=[list(phrases)],
        caption_texts=[list(captions)],
    )
    term = CNT(HighAndLow(), 8000, against_captions=against_captions)
    return term(parts).item()


def test_captions_as_negatives_hear_remains_of_other_sounds():
    leak = 10 ** (-6 / 20)
    plain = phrase_similarity(leak, False) - phrase_similarity(0.0, False)
    against = phrase_similarity(leak, True) - phrase_similarity(0.0, True)
    assert against > 10 * plain > 0


def test_the_caption_of_a_single_sound_is_no_negative():
    single = phrase_similarity(0.0, True, captions=("low", "high"))
    assert single == phrase_similarity(0.0, False)
    twice = phrase_similarity(0.0, True, phrases=("low", "low"))
    assert twice == phrase_similarity(0.0, False, phrases=("low", "low"))
