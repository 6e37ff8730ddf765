"""What masks give to queries where it is known."""

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


def test_the_upper_half_of_the_band_is_shared_by_energy(spectra):
    """Of noise, all of which is 1: the third query takes everything, and nothing is left."""
    one = MaskedSpectra(torch.ones(1, 1, 8, 3), torch.zeros(1, 2, 4, 3), 10)
    one.masks[:, 0, 2:], one.masks[:, 1, :2] = 0.8, 1.0  # below the upper half nothing counts
    shares = one.top_shares()
    torch.testing.assert_close(shares[0, 0], torch.full((3,), 0.64 / (0.64 + 0.04)))
    assert not shares[0, 1].any()
    assert (spectra.top_shares().sum(1) <= 1 + 1e-6).all()
    silent = MaskedSpectra(0 * spectra.spectrum, spectra.masks, 100)
    assert not silent.top_shares().any()


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
