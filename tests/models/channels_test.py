"""Recordings whose channels cancel each other, or of which one is silent, get the masks of one."""

from __future__ import annotations

import pytest
import torch
from tiny_model import build_tiny

from asteroid_bimodal.models import QueriedSeparator
from asteroid_bimodal.models.masked_spectra import mono_spectrum
from asteroid_bimodal.models.streaming import SeparationStream


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def run(wav, **options):
    model = build_tiny(input_level=1.0)
    stream = SeparationStream(model, wav.split(9000, -1), ["violin"], 8000, **options)
    return torch.cat(list(stream), dim=-1), stream.levels


@pytest.mark.parametrize("gains", [(1, -1), (-0.95, 1), (1, -1, 0.9, -0.9), (1, 0), (0, 1, 0)])
def test_estimates_are_those_of_one_channel(gains):
    wav = noise(1, 16_000)
    alone, level = run(wav)
    found, same = run(torch.tensor(gains, dtype=torch.float)[:, None] * wav, residual=True)
    for channel, gain in enumerate(gains):
        torch.testing.assert_close(found[0, channel], gain * alone[0, 0], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(same, level, rtol=1e-3, atol=1e-3)
    assert same < 0


def test_where_channels_do_not_cancel_their_mean_is_kept_bit_by_bit():
    spectrum = torch.randn(3, 2, 10, 7)
    spectrum[1, 1] = -spectrum[1, 0]
    mono = mono_spectrum(spectrum)
    assert torch.equal(mono[[0, 2]], spectrum.mean(dim=1)[[0, 2]])
    assert torch.equal(mono[1], spectrum[1, 0])
    assert torch.equal(mono_spectrum(spectrum[:, :1]), spectrum[:, 0])
    assert torch.equal(mono_spectrum(torch.zeros(1, 2, 4, 3)), torch.zeros(1, 4, 3))


def test_nothing_clicks_where_windows_begin_to_cancel(monkeypatch):
    """The rule holds for a window; from one to the next, estimates are faded."""
    monkeypatch.setattr(QueriedSeparator, "window_hop", 2)
    monkeypatch.setattr(QueriedSeparator, "window_overlap", 1)
    time = torch.arange(12 * 8000) / 8000
    left = 0.1 * torch.sin(2 * torch.pi * 200 * time)
    sign = torch.where(time < 6, 1.0, -1.0)
    wav = torch.stack([left, sign * left])
    found, _ = run(wav, residual=True)
    torch.testing.assert_close(found.sum(0), wav, rtol=0, atol=1e-6)
    # Steps of the left channel, which has none, grow no larger than those of a tone.
    steps = found[0, 0].diff().abs()
    assert steps.max() <= 1.05 * wav[0].diff().abs().max()


@pytest.mark.parametrize("channels", [1, 2])
def test_less_than_a_frame_is_refused_from_arrays_as_from_files(channels):
    model, wav = build_tiny(), noise(channels, 127)
    with pytest.raises(ValueError, match="at least 16 ms of audio.* received 15.9 ms"):
        model.separate({"array": wav, "sampling_rate": 8000}, ["violin"])
    assert model.separate({"array": noise(128), "sampling_rate": 8000}, ["violin"])
