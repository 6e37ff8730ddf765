"""What every separator does with the level of its input."""

from __future__ import annotations

import asteroid.separate
import pytest
import torch
from asteroid.dsp.overlap_add import LambdaOverlapAdd
from tiny_model import build_tiny

from asteroid_bimodal.dsp import at_level, log_magnitude, magnitude
from asteroid_bimodal.models import load_separator

WORDS = ["violin", "flute"]
GAINS = (0.01, 0.3, 20.0)


def noise(batch=2):
    return 0.1 * torch.randn(batch, 3000, generator=torch.Generator().manual_seed(0))


def separate(model, wav):
    return model.separate(wav, [WORDS] * len(wav), sample_rate=8000).estimates


def test_the_masker_looks_at_the_level_that_it_is_given():
    spectra = build_tiny().forward_encoder(noise()[:, None])[:, 0]
    for level in (0.5, 2.0):
        looked_at = build_tiny(input_level=level).masker_input(spectra)
        assert looked_at.shape == (2, 1, spectra.shape[1] // 2, spectra.shape[2])
        rms = torch.expm1(looked_at).square().mean((1, 2, 3)).sqrt()
        torch.testing.assert_close(rms, torch.full((2,), level))


def test_without_a_level_it_looks_at_the_mixture_as_it_is():
    model = build_tiny()
    spectra = model.forward_encoder(noise()[:, None])[:, 0]
    expected = log_magnitude(magnitude(spectra))[:, None]
    torch.testing.assert_close(model.masker_input(spectra), expected, rtol=0, atol=0)


@pytest.mark.parametrize("gain", GAINS)
def test_a_quiet_mixture_is_separated_as_a_loud_one(gain):
    model = build_tiny(input_level=1.0)
    expected = gain * separate(model, noise())
    estimates = separate(model, gain * noise())
    torch.testing.assert_close(estimates, expected, rtol=1e-4, atol=1e-6 * gain)
    as_it_is = build_tiny()
    difference = separate(as_it_is, gain * noise()) - gain * separate(as_it_is, noise())
    assert difference.abs().max() > 1e-4 * gain


def test_mixtures_of_a_batch_have_levels_of_their_own():
    model, gains = build_tiny(input_level=1.0), torch.tensor([[1.0], [30.0]])
    expected = gains[:, None] * separate(model, noise())
    torch.testing.assert_close(separate(model, gains * noise()), expected)


def test_silence_stays_silent():
    estimates = separate(build_tiny(input_level=1.0), torch.zeros(2, 3000))
    assert torch.equal(estimates, torch.zeros(2, 2, 3000))
    silence = torch.zeros(4, 5, requires_grad=True)
    at_level(silence, 1.0).sum().backward()
    assert torch.isfinite(silence.grad).all()


def test_the_level_is_saved(tmp_path):
    build_tiny(input_level=0.7).save_pretrained(tmp_path)
    assert load_separator(tmp_path).input_level == 0.7


@pytest.mark.parametrize("level", [0, -1.0, float("inf"), float("nan")])
def test_impossible_levels_are_refused(level):
    with pytest.raises(ValueError, match="input_level above 0 or None"):
        build_tiny(input_level=level)


def test_asteroid_users_are_told_what_to_use():
    model, wav = build_tiny(), noise(1)[:, None]
    with pytest.raises(ValueError, match="asteroid-bimodal separate.*QueryOverlapAdd"):
        LambdaOverlapAdd(model, n_src=None, window_size=1000)(wav)
    with pytest.raises(ValueError, match="asteroid-bimodal separate"):
        asteroid.separate.separate(model, wav[0])
    with pytest.raises(TypeError, match=r"output_dir, resample.*save\(folder"):
        model.separate("duet.wav", WORDS, output_dir=".", resample=True)
