"""Each public loss refuses what it cannot use, and says what it expected and what it received."""

from __future__ import annotations

import pytest
import torch
from asteroid.losses import multisrc_mse, pairwise_mse
from torch import nn

from asteroid_bimodal import losses
from asteroid_bimodal.losses import (
    ClapSimilarityLoss,
    CoSeparationLoss,
    HierarchicalReconstructionLoss,
    LogWeightedBCE,
    LogWeightedL1,
    LogWeightedL2,
    MixPITLossWrapper,
    NoiseInvariantLoss,
    TextConditionedMixIT,
    WeakLabelLoss,
    bimodal_contrastive,
)

B, N, S, P, F, T = 2, 2, 4, 3, 5, 6


class Means:
    """Embeds a sound as the means of its three parts, a text as its length."""

    sample_rate, logit_scale = 8000, 10.0

    def embed_audio(self, wav, sample_rate):
        return wav.unflatten(-1, (3, -1)).mean(-1)

    def embed_text(self, texts):
        return torch.tensor([[float(len(text)), 1.0, 0.0] for text in texts])


def classifier():
    return nn.Sequential(nn.Flatten(), nn.Linear(F * T, 3))


def cases():
    """A loss and arguments that it takes, for each public loss."""
    torch.manual_seed(0)
    masks, noise = torch.rand(B, N, F, T), torch.rand(B, N, F, T)
    sources, mixtures = torch.rand(B, S, F, T), torch.rand(B, N, F, T)
    total, shares = torch.rand(B, F, T), torch.ones(B, N, P)
    where = torch.tensor([[0, 0, 1, 1]] * B)
    labels = torch.tensor([[0, 1, 2, 0]] * B)
    unit = torch.nn.functional.normalize(torch.rand(B, S), dim=-1)
    phrases = [["a", "bb", "ccc", "dddd"]] * B
    return {
        "ClapSimilarityLoss": (
            ClapSimilarityLoss(Means()),
            {"est_wavs": torch.rand(B, S, T), "phrases": phrases},
        ),
        "CoSeparationLoss": (
            CoSeparationLoss(classifier()),
            {
                "est_masks": sources,
                "mixtures": mixtures,
                "total": total,
                "assignment": where,
                "labels": labels,
            },
        ),
        "HierarchicalReconstructionLoss": (
            HierarchicalReconstructionLoss(),
            {
                "est_captions": masks,
                "est_phrases": torch.rand(B, N, P, F, T),
                "mixtures": mixtures,
                "total": total,
                "phrase_weights": shares,
            },
        ),
        "LogWeightedBCE": (
            LogWeightedBCE(),
            {"est": masks, "target": noise, "reference": mixtures},
        ),
        "LogWeightedL1": (
            LogWeightedL1(),
            {"est": masks, "target": noise, "reference": mixtures},
        ),
        "LogWeightedL2": (
            LogWeightedL2(),
            {"est": masks, "target": noise, "reference": mixtures},
        ),
        "MixPITLossWrapper": (
            MixPITLossWrapper(pairwise_mse),
            {"est_sources": masks, "mixtures": mixtures},
        ),
        "NoiseInvariantLoss": (
            NoiseInvariantLoss(),
            {"est_masks": masks, "noise_masks": noise, "target_masks": masks, "reference": total},
        ),
        "TextConditionedMixIT": (
            TextConditionedMixIT(multisrc_mse),
            {"est_sources": sources, "mixtures": mixtures, "assignment": where},
        ),
        "WeakLabelLoss": (
            WeakLabelLoss(classifier()),
            {
                "est_sources": sources,
                "labels": labels,
                "mixture": total,
                "active": torch.ones(B, S, dtype=torch.bool),
            },
        ),
        "bimodal_contrastive": (
            bimodal_contrastive,
            {
                "audio_emb": unit,
                "text_emb": unit.flip(0),
                "logit_scale": 10.0,
                "same": torch.eye(B, dtype=torch.bool),
            },
        ),
    }


TENSORS = [
    (name, argument)
    for name, (_, arguments) in cases().items()
    for argument, value in arguments.items()
    if isinstance(value, torch.Tensor)
]
FLOATS = [
    (name, argument) for name, argument in TENSORS if cases()[name][1][argument].is_floating_point()
]


def refused(name, argument, value, match="(?i)expected .*received"):
    loss, arguments = cases()[name]
    with pytest.raises(ValueError, match=match):
        loss(**(arguments | {argument: value}))


def test_every_public_loss_is_looked_at_and_takes_its_good_input():
    others = {"QuadraticForm", "Scorer"}  # no losses
    terms = {name for name in losses.__all__ if name.endswith("Terms")}  # their results
    assert set(cases()) == set(losses.__all__) - others - terms
    for loss, arguments in cases().values():
        result = loss(**arguments)
        assert torch.isfinite(getattr(result, "total", result))


@pytest.mark.parametrize("name, argument", TENSORS)
def test_wrong_rank(name, argument):
    value = cases()[name][1][argument]
    refused(name, argument, value.unsqueeze(0))
    if argument != "reference":  # whatever broadcasts is one
        refused(name, argument, value[0])


@pytest.mark.parametrize("name, argument", TENSORS)
def test_sizes_that_do_not_fit_the_other_arguments(name, argument):
    """Batch, sources, mixtures, frequencies and frames."""
    value = cases()[name][1][argument]
    for axis in range(value.ndim):
        refused(name, argument, value.narrow(axis, 0, 0))
        if (name, axis) != ("ClapSimilarityLoss", 2):  # its estimates may be of any length
            refused(name, argument, torch.cat([value, value], dim=axis))


@pytest.mark.parametrize("name, argument", FLOATS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none(name, argument, bad):
    value = cases()[name][1][argument].clone()
    value.flatten()[-1] = bad
    refused(name, argument, value, match="(?i)expected .*received .*(NaN|infinity)")


@pytest.mark.parametrize("name", ["TextConditionedMixIT", "CoSeparationLoss"])
@pytest.mark.parametrize(
    "assignment, match",
    [
        ([0, 0, 1, 2], "to 1, received values from 0 to 2"),
        ([0, 0, 1, -2], "to 1, received values from -2 to 1"),
        ([1, 1, 1, 1], "an estimate for every mixture, received none for mixture 0 of example 0"),
    ],
)
def test_assignment_that_is_out_of_range_or_leaves_a_mixture_out(name, assignment, match):
    refused(name, "assignment", torch.tensor([assignment] * B), match)


@pytest.mark.parametrize(
    "weights, match",
    [
        ([[1, 1, 1], [0, 0, 0]], "an estimate for every mixture, received none for mixture 1"),
        ([[1, 1, 1], [2, -1, 0]], "weights >= 0, received -1"),
    ],
)
def test_phrase_weights_that_leave_a_mixture_out_or_take_away(weights, match):
    weights = torch.tensor([weights] * B, dtype=torch.float32)
    refused("HierarchicalReconstructionLoss", "phrase_weights", weights, match)


@pytest.mark.parametrize("name", ["WeakLabelLoss", "CoSeparationLoss"])
@pytest.mark.parametrize(
    "labels, match",
    [
        ([0, 1, 2, 3], "classes 0 to 2, received values from 0 to 3"),
        ([0, 1, 2, -1], "classes 0 to 2, received values from -1 to 2"),
        ([0.0, 1.0, 2.0, 0.0], "integer classes, received torch.float32"),
    ],
)
def test_classes_that_there_are_not(name, labels, match):
    refused(name, "labels", torch.tensor([labels] * B), match)


@pytest.mark.parametrize("empty", ["", "  ", "\n", None])
def test_empty_phrases(empty):
    refused("ClapSimilarityLoss", "phrases", [["a", "b", "c", empty]] * B, "non-empty texts")


@pytest.mark.parametrize("phrases", [[], [[]] * B, [["a"] * S], [["a"] * 3] * B, ["abcd"] * B])
def test_phrases_of_another_number(phrases):
    refused("ClapSimilarityLoss", "phrases", phrases)


@pytest.mark.parametrize("rate", [0, -8000, 8000.5, float("nan"), float("inf"), "8000"])
def test_rate_that_a_scorer_does_not_take(rate):
    with pytest.raises(ValueError, match="sample_rate: expected .* whole number .* received"):
        ClapSimilarityLoss(Means(), sample_rate=rate)


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_logit_scale_that_is_no_number(scale):
    refused("bimodal_contrastive", "logit_scale", scale, "logit_scale: expected .* received")
