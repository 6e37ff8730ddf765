"""The STFT equals torch's, and gradients are numbers everywhere."""

from __future__ import annotations

import pytest
import torch
from asteroid_filterbanks import Decoder, Encoder

from asteroid_bimodal.dsp.spectral import (
    apply_mask,
    magnitude,
    pad_for_stft,
    stft_pair,
    with_phase_of,
)

SIZES = [(1022, 256, 16382), (510, 128, 16382), (64, 16, 1000), (64, 32, 999)]


def torch_stft(wav, n_fft, hop):
    window = torch.hann_window(n_fft)
    return torch.stft(wav, n_fft, hop, window=window, center=True, return_complex=True)


@pytest.mark.parametrize("n_fft, hop, length", SIZES)
def test_spectrum_and_resynthesis_equal_torchs(n_fft, hop, length):
    torch.manual_seed(0)
    encoder, decoder = stft_pair(n_fft, hop, 16000)
    wav = torch.rand(3, length) * 2 - 1
    expected = torch_stft(wav, n_fft, hop)
    spectrum = encoder(wav.unsqueeze(1))
    torch.testing.assert_close(magnitude(spectrum), expected.abs(), rtol=0, atol=1e-4)
    real, imag = spectrum.chunk(2, dim=-2)
    torch.testing.assert_close(torch.complex(real, imag), expected, rtol=0, atol=1e-4)
    masks = torch.rand(3, 2, *expected.shape[1:])
    estimates = decoder(apply_mask(spectrum.unsqueeze(1), masks), length=length)
    assert estimates.shape == (3, 2, length)
    for index in range(2):
        by_torch = torch.istft(
            expected * masks[:, index], n_fft, hop, window=torch.hann_window(n_fft), length=length
        )
        torch.testing.assert_close(estimates[:, index], by_torch, rtol=0, atol=1e-6)
    torch.testing.assert_close(decoder(spectrum, length=length), wav, rtol=0, atol=2e-6)


@pytest.mark.parametrize("n_fft, hop, length", SIZES)
def test_transforms_equal_asteroids_own(n_fft, hop, length):
    encoder, decoder = stft_pair(n_fft, hop, 16000)
    plain_encoder, plain_decoder = Encoder(encoder.filterbank), Decoder(encoder.filterbank)
    wav = torch.rand(2, 1, length) * 2 - 1
    spectrum = encoder(wav)
    torch.testing.assert_close(spectrum, plain_encoder(wav), rtol=0, atol=1e-4)
    ours, theirs = (part(spectrum, length=length) for part in (decoder, plain_decoder))
    torch.testing.assert_close(ours, theirs[:, 0], rtol=0, atol=1e-5)


def test_filters_are_neither_trained_nor_saved():
    encoder, decoder = stft_pair(64, 16, 8000)
    assert encoder.filterbank is decoder.filterbank
    assert list(encoder.parameters()) == [] and encoder.state_dict() == {}
    assert encoder.sample_rate == 8000
    assert encoder.to(torch.float64).filterbank.filters().dtype == torch.float64


def test_gradients_reach_the_waveform_through_both_transforms():
    encoder, decoder = (part.double() for part in stft_pair(16, 4, 8000))
    wav = torch.randn(2, 40, dtype=torch.float64, requires_grad=True)

    def there_and_back(wav):
        spectrum = encoder(wav.unsqueeze(1)).unsqueeze(1)
        return decoder(with_phase_of(magnitude(spectrum).square(), spectrum), length=40)

    assert torch.autograd.gradcheck(there_and_back, wav)


def test_magnitude_of_silence_is_zero_with_zero_gradient():
    encoder, _ = stft_pair(64, 16, 8000)
    wav = torch.zeros(1, 1, 200, requires_grad=True)
    magnitudes = magnitude(encoder(wav))
    magnitudes.sum().backward()
    assert magnitudes.max() == 0 and wav.grad.abs().max() == 0


def test_magnitude_gradient_equals_that_of_the_square_root_elsewhere():
    spectrum = torch.randn(1, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(magnitude, spectrum)


def test_masked_magnitudes_with_the_phase_equal_the_masked_spectrum():
    spectrum, masks = torch.randn(2, 10, 7), torch.rand(2, 3, 5, 7)
    estimates = masks * magnitude(spectrum).unsqueeze(1)
    torch.testing.assert_close(
        with_phase_of(estimates, spectrum.unsqueeze(1)), apply_mask(spectrum.unsqueeze(1), masks)
    )


def test_short_signals_are_padded_until_they_can_be_reflected():
    wav = pad_for_stft(torch.ones(2, 1), 64, 16)
    assert wav.shape == (2, 33) and wav.sum() == 2
    assert pad_for_stft(torch.ones(40), 64, 16).shape == (40,)
    encoder, decoder = stft_pair(64, 16, 8000)
    rebuilt = decoder(encoder(wav.unsqueeze(1)), length=1)
    torch.testing.assert_close(rebuilt, torch.ones(2, 1))


@pytest.mark.parametrize("n_fft, hop", [(63, 16), (0, 1), (64, 33), (64, 0)])
def test_impossible_transforms_are_refused(n_fft, hop):
    with pytest.raises(ValueError, match=f"received {n_fft if n_fft in (63, 0) else hop}"):
        stft_pair(n_fft, hop, 8000)


@pytest.mark.parametrize("length", [1000, 1023, 1024, 1025, 1040, 1055])
def test_a_masked_spectrum_stays_small_at_the_end_with_half_overlap(length):
    encoder, decoder = stft_pair(64, 32, 8000)
    wav = torch.randn(4, 1, length, generator=torch.Generator().manual_seed(0))
    spectrum = encoder(pad_for_stft(wav, 64, 32))
    mask = torch.rand(spectrum.shape, generator=torch.Generator().manual_seed(1))
    estimate = decoder(spectrum * mask, length=length)
    assert estimate.abs().max() < 2 * wav.abs().max()


def test_a_quarter_hop_needs_no_padding():
    assert pad_for_stft(torch.ones(131_070), 1022, 256).shape == (131_070,)
