"""Presence scores of masks whose score is known."""

from __future__ import annotations

import pytest
import torch

from asteroid_bimodal.models.masked_spectra import MaskedSpectra


@pytest.fixture
def spectra():
    """Noise with the masks of four queries: some bins, a little of all, all, and none."""
    torch.manual_seed(0)
    masks = torch.zeros(2, 4, 9, 7)
    masks[:, 0, 3:5] = 1.0
    masks[:, 1] = 0.02
    masks[:, 2] = 1.0
    return MaskedSpectra(torch.randn(2, 1, 18, 7), masks, 100)


def test_presence_tells_own_bins_from_a_little_of_everything(spectra):
    torch.testing.assert_close(spectra.presence, torch.tensor([[1.0, 0.02, 1.0, 0.0]] * 2))


def test_presence_is_the_mean_of_the_mask_weighted_by_the_energy_let_through():
    spectrum = torch.tensor([[3.0], [1.0], [4.0], [0.0]])[None, None]  # bins of size 5 and 1
    masks = torch.tensor([[0.2], [1.0]])[None, None]
    score = (0.2 * 1.0 + 1.0 * 1.0) / (1.0 + 1.0)  # each lets an energy of 1 through
    found = MaskedSpectra(spectrum, masks, 10).presence
    torch.testing.assert_close(found, torch.tensor([[score]]))


def test_presence_depends_neither_on_the_level_nor_in_silence_on_anything(spectra):
    quiet = MaskedSpectra(1e-3 * spectra.spectrum, spectra.masks, 100)
    torch.testing.assert_close(quiet.presence, spectra.presence)
    silent = MaskedSpectra(0 * spectra.spectrum, spectra.masks, 100)
    assert not silent.presence.any()


def test_shared_masks_add_up_to_one_wherever_any_query_takes_something(spectra):
    shared = spectra.shared().masks
    torch.testing.assert_close(shared.sum(1), torch.ones(2, 9, 7))
    torch.testing.assert_close(shared[:, 2] / shared[:, 1], torch.full((2, 9, 7), 50.0))
    nothing = MaskedSpectra(spectra.spectrum, spectra.masks[:, 3:], 100).shared()
    assert not nothing.masks.any()
    assert spectra.masks[0, 2, 0, 0] == 1  # as it was


def test_shared_complex_masks_keep_their_phases():
    masks = torch.polar(torch.tensor([1.0, 3.0]), torch.tensor([0.5, -2.0])).view(1, 2, 1, 1)
    shared = MaskedSpectra(torch.ones(1, 1, 2, 1), masks, 10).shared()
    torch.testing.assert_close(shared.gains.flatten(), torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(shared.masks.angle(), masks.angle())
