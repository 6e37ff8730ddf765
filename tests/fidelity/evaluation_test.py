"""In eval mode, features, masks, magnitudes and waveforms equal those of the paper's release."""

from __future__ import annotations

import pytest
import torch
from release import CHECKPOINT, embedding, tensors

from asteroid_bimodal.models import BiModalUNet


@pytest.fixture(scope="module")
def model():
    return BiModalUNet.from_official(CHECKPOINT)


@pytest.fixture(scope="module")
def expected():
    return tensors("unet_eval")


@pytest.fixture(scope="module")
def separation(model, expected, query):
    with torch.no_grad():
        return model.separate_spectra(expected["mix_wav"], query)


@pytest.fixture(scope="module")
def query(expected):
    return embedding(expected["hidden_states"], expected["text_embed"])


@pytest.fixture(scope="module")
def log_mag(expected):
    """Of the release's own magnitudes, to look at the network alone."""
    return expected["mag_mix"].log1p().unsqueeze(1)


def close(ours, theirs, tolerance):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def test_magnitude_of_the_mixture(separation, expected):
    close(separation.magnitude, expected["mag_mix"], 1e-4)


def test_query_weights(model, expected):
    weights = torch.sigmoid(model.masker.head.weights(expected["text_embed"]))
    for index in range(2):
        close(weights[:, index], expected[f"cond_sigmoid_{index}"], 1e-6)


def test_features(model, expected, query, log_mag):
    with torch.no_grad():
        features = model.masker.features(log_mag, query)
    close(features[:, 0, :, ::8, ::8], expected["features_0_f8t8"], 1e-5)
    for index in range(2):
        rms = features[:, index].square().mean((2, 3)).sqrt()
        close(rms, expected[f"features_{index}_rms"], 1e-5)


def test_masks(model, separation, expected, query, log_mag):
    with torch.no_grad():
        masks = model.masker(log_mag, query)
    for index in range(2):
        theirs = expected[f"mask_{index}_f4t4"]
        close(masks[:, index, ::4, ::4], theirs, 1e-5)
        close(separation.masks[:, index, ::4, ::4], theirs, 1e-5)


def test_masked_magnitudes(separation, expected):
    for index in range(2):
        close(separation.estimates[:, index, ::4, ::4], expected[f"masked_{index}_f4t4"], 1e-5)


def test_waveforms(model, separation, expected, query):
    with torch.no_grad():
        by_phase = model.to_wav(separation.estimates, separation)
        by_mask = model(expected["mix_wav"], query)
    for index in range(2):
        theirs = expected[f"wav_{index}_t8"]
        close(by_phase[:, index, ::8], theirs, 1e-6)
        close(by_mask[:, index, ::8], theirs, 1e-6)
