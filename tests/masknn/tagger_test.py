"""The tagger: what it does not depend on, and which label a query is."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

from asteroid_bimodal.masknn import Tagger


@pytest.fixture
def tagger():
    torch.manual_seed(0)
    return Tagger(129, 8000, num_labels=5, pooled_dim=6, channels=4).eval()


@pytest.fixture
def magnitudes():
    return torch.rand(3, 129, 40, generator=torch.Generator().manual_seed(1))


def test_level_says_nothing(tagger, magnitudes):
    pooled = torch.eye(5, 6).expand(3, 5, 6)
    torch.testing.assert_close(tagger(30 * magnitudes, pooled), tagger(magnitudes, pooled))


def test_a_query_has_the_logit_of_the_nearest_label(tagger, magnitudes):
    of_labels = tagger.tag(tagger.mel(magnitudes))
    places = torch.tensor([[4, 0], [1, 1], [2, 3]])
    pooled = 3 * one_hot(places, 6) + 0.5 * torch.rand(3, 2, 6)
    assert torch.equal(tagger(magnitudes, pooled), of_labels.gather(1, places))


def test_mel_bands_add_up_energies(tagger):
    low, high = torch.zeros(2, 1, 129, 4)
    low[0, 10], high[0, 100] = 2.0, 3.0  # 312 and 3125 Hz
    torch.testing.assert_close(
        tagger.mel((low.square() + high.square()).sqrt()), tagger.mel(low) + tagger.mel(high)
    )
    bands = [int(tagger.mel(one)[0, :, 0].argmax()) for one in (low, high)]
    assert 0 < bands[0] < bands[1]


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_few_frames_and_silence_have_finite_logits(tagger, frames):
    for magnitudes in (torch.rand(1, 129, frames), torch.zeros(1, 129, frames)):
        logits = tagger(magnitudes, torch.eye(5, 6).unsqueeze(0))
        assert logits.shape == (1, 5) and logits.isfinite().all()


def test_before_training_nothing_is_heard(tagger, magnitudes):
    assert tagger.tag(tagger.mel(magnitudes)).sigmoid().max() < 0.2
