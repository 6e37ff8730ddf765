"""Other speeds and random equalisers of training crops."""

import math

import pytest
import soundfile
import torch

from asteroid_bimodal.data.augmentation import draw_speed, equalise
from asteroid_bimodal.data.crops import ClipFiles, CropSampler
from asteroid_bimodal.data.manifest import Clip

RATE = 16000


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def tone(frequency, seconds=2.0, rate=RATE):
    return 0.3 * torch.sin(2 * math.pi * frequency * torch.arange(int(seconds * rate)) / rate)


def frequency_of(wav, rate=RATE):
    return float(torch.fft.rfft(wav).abs().argmax() * rate / len(wav))


def test_speeds_are_even_in_their_logarithm_between_the_factor_and_its_inverse(generator):
    speeds = torch.tensor([draw_speed(2.0, generator) for _ in range(4000)]).log2()
    assert speeds.min() >= -1 and speeds.max() <= 1
    assert speeds.mean().abs() < 0.05 and (speeds.std() - 1 / math.sqrt(3)).abs() < 0.05


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_a_crop_plays_at_the_speed_that_was_drawn(speed, tmp_path, generator, monkeypatch):
    soundfile.write(tmp_path / "flute.wav", tone(440, 4).numpy(), RATE)
    clip = Clip(path="flute.wav", label="flute", caption="", seconds=4.0, split="train")
    source = ClipFiles([clip], tmp_path)
    monkeypatch.setattr("asteroid_bimodal.data.crops.draw_speed", lambda *_: speed)
    sampler = CropSampler(sample_rate=RATE, num_samples=RATE, speed=1.25)
    (crop,) = sampler.draw_crops(source, 1, generator).crops
    assert len(crop.audio) == RATE
    assert frequency_of(crop.audio) == pytest.approx(440 * speed, abs=1)


def test_the_equaliser_changes_octaves_by_its_spread_and_keeps_the_loudness(generator):
    centres = [125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0]
    chord = sum(tone(centre) for centre in centres)
    changes = []
    for _ in range(400):
        varied = equalise(chord, RATE, 4.0, generator)
        assert torch.allclose(varied.square().mean(), chord.square().mean(), rtol=1e-4)
        bins = [int(centre * len(chord) / RATE) for centre in centres]
        before, after = (torch.fft.rfft(wav).abs()[bins] for wav in (chord, varied))
        changes.append(20 * (after / before).log10())
    changes = torch.stack(changes)
    # The loudness takes the same from all octaves: their differences keep the spread.
    differences = changes.diff(dim=1).std(0)
    assert torch.allclose(differences, torch.full_like(differences, 4 * math.sqrt(2)), rtol=0.12)


def test_no_augmentation_changes_and_draws_nothing(generator):
    state, wav = generator.get_state(), tone(440)
    assert draw_speed(1.0, generator) == 1.0
    assert equalise(wav, RATE, 0.0, generator) is wav
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("wav", [torch.zeros(1000), torch.ones(7), torch.zeros(1)])
def test_the_equaliser_of_silence_and_of_few_samples_is_finite(wav, generator):
    assert equalise(wav, RATE, 6.0, generator).isfinite().all()


def test_a_constant_offset_is_no_loudness(generator):
    wav = 0.3 + tone(440) / 30
    for _ in range(20):
        varied = equalise(wav, RATE, 6.0, generator)
        assert varied.std() == pytest.approx(float(wav.std()), rel=1e-3)
        assert varied.mean().abs() < 1e-5


@pytest.mark.parametrize("seconds", [1.0, 1.1])
def test_a_crop_of_a_clip_of_its_length_is_not_made_faster_than_the_clip_lasts(
    seconds, tmp_path, generator, monkeypatch
):
    soundfile.write(tmp_path / "flute.wav", tone(440, seconds).numpy(), RATE)
    clip = Clip(path="flute.wav", label="flute", caption="", seconds=seconds, split="train")
    monkeypatch.setattr("asteroid_bimodal.data.crops.draw_speed", lambda *_: 1.25)
    sampler = CropSampler(sample_rate=RATE, num_samples=RATE, speed=1.25)
    (crop,) = sampler.draw_crops(ClipFiles([clip], tmp_path), 1, generator).crops
    assert crop.audio[-RATE // 50 :].abs().max() > 0.2
    assert frequency_of(crop.audio) == pytest.approx(440 * seconds, abs=1.5)
