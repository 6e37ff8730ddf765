"""model.separate: tensors, arrays and files, of any rate; never another level."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

WORDS = ["violin", "tuba"]


def half_of_everything(model):
    torch.nn.init.zeros_(model.masker.head.scale)
    return model


def test_tensor_equals_forward_and_needs_no_gradient(model):
    wav = torch.randn(2, 1000, requires_grad=True)
    est = model.separate(wav, [WORDS, WORDS], sample_rate=8000).estimates
    torch.testing.assert_close(est, model(wav, WORDS).detach())
    assert not est.requires_grad


def test_array_gives_an_array_of_its_type(model):
    wav = np.random.default_rng(0).standard_normal(1000)
    est = model.separate(wav, queries=WORDS, sample_rate=8000).estimates
    assert isinstance(est, np.ndarray) and est.dtype == np.float64 and est.shape == (2, 1000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_file_keeps_rate_channels_length_and_level(model, tmp_path, rate, channels):
    time = np.arange(rate + 7) / rate
    wav = 0.3 * np.sin(2 * np.pi * 440 * time)[:, None] * np.linspace(1, 0.5, channels)
    soundfile.write(tmp_path / "tone.wav", wav, rate, subtype="FLOAT")
    est = half_of_everything(model).separate(tmp_path / "tone.wav", WORDS).estimates
    expected = torch.from_numpy(wav.T).float() / 2
    assert est.shape == ((2, rate + 7) if channels == 1 else (2, 2, rate + 7))
    middle = slice(rate // 4, 3 * rate // 4)
    for one in est:
        torch.testing.assert_close(
            one.reshape(channels, -1)[:, middle], expected[:, middle], rtol=0, atol=2e-3
        )


def test_rate_of_an_array_can_be_told(model):
    est = model.separate(torch.randn(44101), WORDS, sample_rate=44100).estimates
    assert est.shape == (2, 44101)


def test_silence_and_soft_sounds_are_not_rescaled(model):
    est = model.separate(torch.zeros(44100), WORDS, sample_rate=44100).estimates
    assert est.abs().max() == 0
    wav = 1e-6 * torch.randn(1000)
    torch.testing.assert_close(
        half_of_everything(model).separate(wav, WORDS, sample_rate=8000)[0],
        wav / 2,
        rtol=0,
        atol=1e-10,
    )


def test_mode_is_as_before_and_running_statistics_are_untouched(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    est = model.separate(torch.randn(1000), WORDS, sample_rate=8000).estimates
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    torch.manual_seed(1)
    assert est.shape == (2, 1000)


def test_asteroids_other_names_do_the_same(model, tmp_path):
    wav = torch.randn(1000)
    est = model.separate(wav, WORDS, sample_rate=8000).estimates
    torch.testing.assert_close(model.torch_separate(wav, WORDS), est)
    array = model.numpy_separate(wav.numpy(), WORDS)
    np.testing.assert_array_equal(array, est)
    torch.testing.assert_close(model.forward_wav(wav, queries=WORDS), model(wav, WORDS))


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("missing.wav", None, "could not read it"),
        ("text.wav", b"not audio at all", "could not read it"),
        ("nothing.wav", b"", "could not read it"),
    ],
)
def test_unreadable_files_are_refused(model, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        model.separate(str(tmp_path / name), WORDS)


def test_files_without_numbers_are_refused(model, tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(ValueError, match="no samples"):
        model.separate(tmp_path / "empty.wav", WORDS)
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan), 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match="NaN"):
        model.separate(tmp_path / "nan.wav", WORDS)


def test_other_inputs_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match="received list"):
        model.separate([0.0, 1.0], WORDS)
    soundfile.write(tmp_path / "tone.wav", np.zeros(100), 8000)
    with pytest.raises(ValueError, match="Leave it out"):
        model.separate(tmp_path / "tone.wav", WORDS, sample_rate=16000)
