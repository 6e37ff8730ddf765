"""model.separate: tensors, arrays and files, of any rate; never another level."""

from __future__ import annotations

import asteroid.models
import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.models import QueriedSeparator
from asteroid_bimodal.models.inference import _join
from asteroid_bimodal.queries import Query
from asteroid_bimodal.separate import separate_files

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
        ("missing.wav", None, "missing.wav does not exist"),
        ("text.wav", b"not audio at all", "Cannot read .*wav: "),
        ("nothing.wav", b"", "Cannot read .*wav: "),
    ],
)
def test_unreadable_files_are_refused(model, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        model.separate(str(tmp_path / name), WORDS)


def test_files_without_numbers_are_refused(model, tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(ValueError, match="empty.wav has no audio"):
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


def test_a_file_gives_what_the_command_writes(model, tmp_path, monkeypatch):
    monkeypatch.setattr(QueriedSeparator, "window_hop", 1)
    monkeypatch.setattr(QueriedSeparator, "window_overlap", 1)
    wav = 0.1 * np.random.default_rng(0).standard_normal((5 * 11025, 2))
    soundfile.write(tmp_path / "duet.wav", wav, 11025, subtype="FLOAT")
    bowed = Query.blend("bowed", [("violin", 0.7), ("cello", 0.3)])
    options = {"without": ["drums"], "residual": True}
    written = separate_files(model, [tmp_path / "duet.wav"], ["tuba", bowed], **options).written
    found = model.separate(tmp_path / "duet.wav", ["tuba", bowed], **options)
    assert found.queries == ["tuba", "bowed"] and found.without == ["drums"]
    assert [path.name for path in found.save(tmp_path / "out")] == [path.name for path in written]
    whole = model.separate({"array": wav.T, "sampling_rate": 11025}, ["tuba", bowed], **options)
    for path, track, other in zip(
        written, [*found, found.residual], [*whole, whole.residual], strict=True
    ):
        samples = soundfile.read(path)[0].T
        np.testing.assert_allclose(track, samples, atol=1e-6)
        np.testing.assert_allclose(other, samples, atol=1e-6)
    np.testing.assert_allclose(sum(found) + found.residual, wav.T, atol=1e-6)
    energy = [np.square(track.numpy()).sum() / np.square(wav).sum() for track in found]
    np.testing.assert_allclose(
        [score.level for score in found.scores], 10 * np.log10(energy), atol=1e-3
    )


def test_everything_but_negative_queries(model):
    wav = torch.randn(3000)
    found = model.separate(wav, [], without=["tuba"], sample_rate=8000)
    tuba = model.separate(wav, ["tuba"], sample_rate=8000)["tuba"]
    torch.testing.assert_close(found["without tuba"], wav - tuba, rtol=0, atol=1e-5)
    each = model.separate(wav[None], [["violin"]], without=["tuba"], sample_rate=8000)
    alone = model.separate(wav, ["violin"], without=["tuba"], sample_rate=8000)
    torch.testing.assert_close(each["violin"][0], alone["violin"], rtol=1e-4, atol=1e-5)


def test_queries_of_each_mixture_and_embeddings(model):
    wav = torch.randn(2, 2, 1000)
    each = model.separate(wav, [["violin"], ["tuba"]], sample_rate=8000, residual=True)
    assert each.estimates.shape == (2, 1, 2, 1000) and each.queries == ["1"]
    torch.testing.assert_close(each.estimates[:, 0] + each.residual, wav)
    query = model.encode_queries([["violin"], ["tuba"]], 2)
    found = model.separate(wav, query, sample_rate=8000)
    torch.testing.assert_close(found.estimates, each.estimates)


def test_what_datasets_give_is_one_recording(model):
    wav = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    found = model.separate({"array": wav, "sampling_rate": 8000, "path": None}, WORDS)
    expected = model.separate(wav[None], WORDS, sample_rate=8000)
    assert found.estimates.shape == (2, 2, 1000)
    np.testing.assert_allclose(found.estimates, expected[0], atol=1e-6)


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (np.zeros((16000, 2)), "has time first, as soundfile"),
        (torch.zeros(16000, 1), "has time first, as soundfile"),
        (torch.zeros(1, 16000, 2), "has time first, as soundfile"),
        (torch.zeros(2, 16000), r"may mean 2 channels or 2 mixtures: pass \{'array': wav"),
        (np.zeros(100, np.int16), "Divide 16-bit integers by 32768"),
        ({"array": np.zeros((16000, 2)), "sampling_rate": 8000}, "has time first"),
        ({"array": np.zeros((1, 1, 100)), "sampling_rate": 8000}, "Expected one recording"),
        ({"audio": np.zeros(100)}, "'array' and 'sampling_rate', as datasets give it"),
    ],
)
def test_what_would_be_misunderstood_is_refused(model, wav, message):
    rate = None if isinstance(wav, dict) else 8000
    with pytest.raises(ValueError, match=message):
        model.separate(wav, WORDS, sample_rate=rate)


def test_samples_without_a_rate_are_at_the_models_with_a_warning(model):
    wav = torch.randn(1000)
    with pytest.warns(UserWarning, match="taken as being at 8000 Hz, the model's rate"):
        found = model.separate(wav, WORDS)
    assert found.sample_rate == 8000
    torch.testing.assert_close(found.estimates, model(wav, WORDS).detach())
    with pytest.raises(ValueError, match="whole number of 1000 or more"):
        model.separate(wav, WORDS, sample_rate=0.5)
    with pytest.raises(ValueError, match="dictionary says 8000 Hz"):
        model.separate({"array": wav, "sampling_rate": 8000}, WORDS, sample_rate=44100)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_refused(model, dtype):
    model.to(dtype)
    for separate in (model, lambda *args: model.separate(*args, sample_rate=8000)):
        with pytest.raises(ValueError, match=r"weights are in torch.*call model.float\(\)"):
            separate(torch.randn(1000), WORDS)


def test_pieces_are_joined_whatever_the_length_said_before():
    pieces = torch.randn(2, 1000).split([300, 10, 500, 190], dim=-1)
    for length in (1000, 10, 5000):
        torch.testing.assert_close(_join(pieces, length), torch.cat(pieces, dim=-1))


@pytest.fixture
def stock(model, tmp_path):
    """A model with statistics of its own, loaded by Asteroid's own `from_pretrained`."""
    model.train()
    model(torch.randn(4, 2000), WORDS)
    package = model.eval().serialize()
    package["model_args"]["query_encoder"] = None
    torch.save(package, tmp_path / "model.pth")
    loaded = asteroid.models.BaseModel.from_pretrained(str(tmp_path / "model.pth"))
    loaded._query_encoder = model.query_encoder
    return loaded


def test_asteroids_own_loader_gives_a_model_that_separates_at_once(model, stock):
    before = {name: value.clone() for name, value in stock.state_dict().items()}
    wav = torch.randn(1000)
    expected = model(wav, WORDS)
    torch.testing.assert_close(stock(wav, WORDS), expected, rtol=0, atol=0)
    found = stock.separate(wav, WORDS, sample_rate=8000).estimates
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in stock.state_dict().items())


def test_a_loaded_model_can_be_trained_on(model, stock):
    statistics = stock.masker.input_norm.running_mean.clone()
    stock.train()(torch.randn(2, 2000), WORDS)
    assert not torch.equal(stock.masker.input_norm.running_mean, statistics)
    stock.load_state_dict(model.state_dict())
    assert stock.training  # somebody said so


@pytest.mark.parametrize("rate", [8000, 16000])
def test_estimates_that_share_their_input_add_up_to_its_band(model, rate):
    time = torch.arange(4 * rate) / rate
    wav = torch.stack([(2 * torch.pi * hertz * time).sin() for hertz in (440, 1000)]).sum(0)
    options = {"sample_rate": rate, "extend": False}
    found = model.separate(wav, WORDS, share=True, **options)
    middle = slice(rate // 2, -rate // 2)
    torch.testing.assert_close(found.estimates.sum(0)[middle], wav[middle], rtol=0, atol=5e-3)
    if rate == model.sample_rate:
        whole = model(wav, WORDS, share=True)
        torch.testing.assert_close(found.estimates, whole.detach(), rtol=0, atol=1e-5)
