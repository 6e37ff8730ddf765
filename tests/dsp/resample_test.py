"""Resampling keeps the signal and gives the length asked for."""

from __future__ import annotations

import importlib
import math

import pytest
import torch

from asteroid_bimodal.dsp.resample import resample, resample_recording

module = importlib.import_module("asteroid_bimodal.dsp.resample")  # dsp.resample is the function


def tone(rate, frequency=440.0, seconds=0.5):
    return torch.sin(2 * math.pi * frequency * torch.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("from_rate, to_rate", [(8000, 16000), (44100, 8000), (22050, 48000)])
def test_tone_stays_the_tone(from_rate, to_rate):
    resampled = resample(tone(from_rate), from_rate, to_rate)
    middle = slice(len(resampled) // 4, 3 * len(resampled) // 4)
    torch.testing.assert_close(resampled[middle], tone(to_rate)[middle], rtol=0, atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_removed():
    assert resample(tone(44100, 4400), 44100, 8000)[200:-200].abs().max() < 2e-3


def test_there_and_back_has_the_length_of_the_signal():
    for length in (1, 999, 44101):
        wav = torch.randn(2, length)
        low = resample(wav, 44100, 8000)
        assert low.shape == (2, -(-length * 80 // 441))
        assert resample(low, 8000, 44100, length=length).shape == wav.shape


def test_same_rate_changes_nothing():
    wav = torch.randn(5)
    assert resample(wav, 8000, 8000.0) is wav


def test_gradients():
    wav = torch.randn(30, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resample(x, 3, 2), wav)


@pytest.mark.parametrize("rate", [768_001, 5_000_000])
def test_rates_of_damaged_headers_are_refused(rate):
    for rates in ((rate, 8000), (8000, rate)):
        with pytest.raises(ValueError, match="at most 768000 hertz.*Check the file"):
            resample(torch.zeros(10), *rates)


@pytest.mark.parametrize(
    "from_rate, to_rate", [(767_999, 16_000), (767_999, 1999), (16_000, 767_999), (192_000, 44_101)]
)
def test_filters_stay_small_whatever_the_rates(monkeypatch, from_rate, to_rate):
    sizes = []
    taps, convolution = module._taps, module._resampler

    def spy(*args):
        filters = taps(*args)[0]
        sizes.append(filters.numel())
        return taps(*args)

    monkeypatch.setattr(module, "_taps", spy)
    monkeypatch.setattr(module, "_resampler", lambda *a: pytest.fail("convolution") or convolution)
    resampled = resample(tone(from_rate, seconds=0.02), from_rate, to_rate)
    assert max(sizes) <= 2**20 and resampled.abs().max() > 0.9


@pytest.mark.parametrize("rate", [0, -8000, 8000.5])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="whole number of hertz"):
        resample(torch.zeros(10), rate, 8000)


ODD = [(44101, 8000), (8000, 44101), (7919, 16000)]


@pytest.mark.parametrize("from_rate, to_rate", ODD)
def test_odd_rates_keep_a_tone_within_memory(from_rate, to_rate):
    resampled = resample(tone(from_rate), from_rate, to_rate)
    middle = slice(len(resampled) // 4, 3 * len(resampled) // 4)
    torch.testing.assert_close(resampled[middle], tone(to_rate)[middle], rtol=0, atol=2e-3)


def test_odd_rates_remove_what_the_lower_rate_cannot_hold():
    assert resample(tone(44101, 4400), 44101, 8000)[200:-200].abs().max() < 2e-3


def test_an_end_does_not_reach_the_other_one():
    wav = torch.zeros(44101)
    wav[:2000] = tone(44101)[:2000]
    assert resample(wav, 44101, 8000)[-400:].abs().max() == 0


@pytest.mark.parametrize("from_rate, to_rate", [(44100, 8000), (8000, 44100), (22050, 16000)])
@pytest.mark.parametrize("length", [1, 500, 5000])
def test_odd_rates_have_the_filter_of_the_others(monkeypatch, from_rate, to_rate, length):
    wav = torch.randn(2, length)
    expected = resample(wav, from_rate, to_rate)  # by torchaudio
    monkeypatch.setattr(module, "_MOST_WEIGHTS", 0)
    monkeypatch.setattr(module, "_MOST_TAPS", 5000)
    torch.testing.assert_close(resample(wav, from_rate, to_rate), expected, rtol=0, atol=1e-4)


def test_gradients_at_odd_rates(monkeypatch):
    monkeypatch.setattr(module, "_MOST_WEIGHTS", 0)
    wav = torch.randn(30, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resample(x, 3, 2), wav)


def test_autocast_does_not_round_samples():
    wav = torch.randn(2000)
    with torch.autocast("cpu", torch.bfloat16):
        found = resample(wav, 22050, 8000)
    torch.testing.assert_close(found, resample(wav, 22050, 8000), rtol=0, atol=0)


@pytest.mark.parametrize(
    "from_rate, to_rate", [(44_100, 16_000), (16_000, 8000), (8000, 44_100), (44_101, 16_000)]
)
def test_recordings_are_resampled_alike(from_rate, to_rate):
    """Up to 80 % of the lower Nyquist frequency, away from the ends: within -75 dB."""
    wav = torch.randn(from_rate, generator=torch.Generator().manual_seed(0))
    spectrum, hertz = torch.fft.rfft(wav), torch.fft.rfftfreq(len(wav), 1 / from_rate)
    wav = torch.fft.irfft(spectrum * (hertz < 0.4 * min(from_rate, to_rate)), len(wav))
    found, expected = (f(wav, from_rate, to_rate) for f in (resample_recording, resample))
    assert found.shape == expected.shape and found.dtype == expected.dtype
    error, energy = ((x[500:-500]).square().sum() for x in (found - expected, expected))
    assert 10 * (error / energy).log10() < -75


@pytest.mark.parametrize("length", [1, 2, 999])
def test_recordings_of_any_length(length):
    assert resample_recording(torch.randn(length), 44_100, 8000).shape == (-(-length * 80 // 441),)
    wav = torch.randn(length)
    assert resample_recording(wav, 8000, 8000) is wav
    with pytest.raises(ValueError, match="a whole number of hertz"):
        resample_recording(wav, 8000, 0.5)
