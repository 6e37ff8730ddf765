"""Likelihoods of masks whose features are known."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_model import build_tiny

from asteroid_bimodal.engine.train import _load_weights
from asteroid_bimodal.models import Calibration, MaskedSpectra, Score, load_separator
from asteroid_bimodal.models.likelihood import heard, mask_features

CALIBRATION = Calibration(bias=1.0, level=0.1, mask=2.0, spread=-0.05)


def test_features_of_masks_that_are_the_same_everywhere_are_those_of_the_mask():
    masks = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    level, mask, spread = mask_features(masks, torch.rand(2, 4, 5)).unbind(-1)
    torch.testing.assert_close(level, torch.tensor([[0.0, 20 * math.log10(0.5), -60.0]] * 2))
    torch.testing.assert_close(mask, torch.tensor([[1.0, 0.5, 0.0]] * 2))
    torch.testing.assert_close(spread, torch.tensor([[0.0, 10 * math.log10(0.5), -60.0]] * 2))


def test_features_weigh_places_by_what_is_there():
    masks = torch.tensor([[0.2], [1.0]])[None, None]
    level, mask, spread = mask_features(masks, torch.tensor([[5.0], [1.0]])[None])[0, 0]
    assert level == pytest.approx(10 * math.log10(2 / 26), abs=1e-5)  # each lets 1 through
    assert mask == pytest.approx(0.6) and spread == pytest.approx(10 * math.log10(0.6), abs=1e-5)


def test_passages_are_judged_each_by_itself_and_near_silence_is_not():
    spectrum = torch.ones(1, 1, 8, 90)
    spectrum[..., 30:60] = 1e-3
    masks = torch.full((1, 1, 4, 90), 0.9)
    masks[..., 60:] = 0.1
    spectra = MaskedSpectra(spectrum, masks, 1)
    judged = CALIBRATION.likelihoods(spectra, 29)
    found = heard(judged, spectra.magnitude)[0, 0]
    logits = [
        1 + 2 * mask + 0.1 * 20 * math.log10(mask) - 0.05 * 10 * math.log10(mask)
        for mask in (0.9, 0.1)
    ]
    first, last = torch.sigmoid(torch.tensor(logits)).tolist()
    assert found.tolist() == pytest.approx([first, 0.0, last], abs=1e-5)
    assert judged[0, 0].tolist() == pytest.approx([first, first, last], abs=1e-5)
    assert torch.equal(heard(judged, spectra.magnitude, 1e-7), judged)


def test_what_a_tagger_hears_is_weighed():
    calibration = Calibration(bias=0.5, level=0.0, mask=0.0, spread=0.0, tag=2.0)
    spectra = MaskedSpectra(torch.ones(1, 1, 8, 60), torch.ones(1, 2, 4, 60), 1)

    def tagger(magnitudes):
        assert magnitudes.shape == (1, 4, 30)
        return torch.tensor([[1.0, -1.0]])

    found = calibration.likelihoods(spectra, 29, tagger)
    expected = torch.sigmoid(torch.tensor([2.5, -1.5])).view(1, 2, 1).expand(1, 2, 2)
    torch.testing.assert_close(found, expected)


def test_a_saved_model_keeps_its_tagger_and_training_goes_on_without(tmp_path):
    torch.manual_seed(0)
    model = build_tiny(
        likelihood={**CALIBRATION.to_dict(), "tag": 1.0},
        tagger={"num_labels": 2, "pooled_dim": 5, "channels": 2, "num_mels": 8},
    ).eval()
    model.save_pretrained(tmp_path)
    query = model.encode_queries(["violin", "flute", "not judged"], 1)
    spectra = model.separate_spectra(torch.randn(1, 16000), query.select(torch.arange(2)))
    loaded = load_separator(tmp_path).likelihoods(spectra, query)
    torch.testing.assert_close(loaded, model.likelihoods(spectra, query))
    assert loaded.shape == (1, 2, 1)
    plain = build_tiny()
    _load_weights(plain, str(tmp_path))
    assert plain.tagger is None
    assert torch.equal(next(plain.parameters()), next(model.parameters()))


def test_a_saved_model_keeps_its_calibration(tmp_path):
    model = build_tiny(query_encoder=None, likelihood=CALIBRATION.to_dict())
    model.save_pretrained(tmp_path)
    assert load_separator(tmp_path).calibration == CALIBRATION
    with pytest.raises(ValueError, match="Expected a likelihood of numbers bias, level, mask, spr"):
        build_tiny(likelihood={"bias": 1.0, "level": "much"})


@pytest.mark.parametrize(
    ("likelihood", "word"), [(0.0, "unlikely"), (0.5, "likely"), (0.9, "sure"), (None, None)]
)
def test_words(likelihood, word):
    assert Score(-3.0, likelihood).word == word
