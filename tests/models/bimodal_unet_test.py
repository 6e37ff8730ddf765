"""BiModalUNet: shapes, lengths, silence, queries, and the two halves that training uses."""

from __future__ import annotations

import pytest
import torch
from tiny_model import MASKER, build_tiny

from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import load_query_encoder
from asteroid_bimodal.queries.base import QueryEmbedding

WORDS = ["violin", "acoustic guitar", "a flute playing"]


@pytest.mark.parametrize(
    "shape, expected",
    [
        ((1000,), (3, 1000)),
        ((2, 1000), (2, 3, 1000)),
        ((2, 1, 1000), (2, 3, 1000)),
        ((2, 2, 1000), (2, 3, 2, 1000)),
    ],
)
def test_shapes(model, shape, expected):
    assert model(torch.randn(shape), WORDS).shape == expected


def test_the_four_ways_to_ask_agree(model):
    wav = torch.randn(2, 1000)
    for_all = model(wav, WORDS)
    torch.testing.assert_close(model(wav, [WORDS, WORDS]), for_all)
    torch.testing.assert_close(model(wav, tuple(WORDS)), for_all)
    torch.testing.assert_close(model(wav, model.encode_queries(WORDS, 2)), for_all)
    torch.testing.assert_close(model(wav[1], WORDS[1:]), for_all[1, 1:], rtol=1e-4, atol=1e-6)


def test_each_mixture_may_have_its_own_queries(model):
    wav = torch.randn(2, 1000)
    est = model(wav, [["violin"], ["tuba"]])
    torch.testing.assert_close(est[0], model(wav[0], ["violin"]), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(est[1], model(wav[1], ["tuba"]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 31, 64, 65, 127, 128, 4097])
def test_any_length_is_kept(model, length):
    est = model(torch.randn(length), WORDS)
    assert est.shape == (3, length)
    assert torch.isfinite(est).all()


@pytest.mark.parametrize("length", [1, 1000])
def test_silence_in_gives_exact_silence_out(model, length):
    assert model(torch.zeros(2, length), WORDS).abs().max() == 0


def test_silence_in_gives_finite_gradients():
    model = build_tiny().train()
    wav = torch.zeros(2, 2000, requires_grad=True)
    model(wav, WORDS).sum().backward()
    grads = [wav.grad, *(p.grad for p in model.parameters())]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_estimate_is_the_mixture_masked(model):
    """With masks of one half everywhere, every estimate is half of the mixture."""
    torch.nn.init.zeros_(model.masker.head.scale)
    wav = torch.randn(2, 3000)
    est = model(wav, WORDS)
    torch.testing.assert_close(est, wav.unsqueeze(1).expand_as(est) / 2, rtol=0, atol=1e-5)


def test_channels_share_the_masks_of_their_mean(model):
    wav = torch.randn(1, 1000)
    stereo = torch.stack([wav * 0.5, wav * 1.5], dim=1)  # their mean is wav
    est = model(stereo, WORDS)
    expected = model(wav, WORDS)
    torch.testing.assert_close(est[:, :, 0], expected * 0.5, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(est[:, :, 1], expected * 1.5, rtol=1e-4, atol=1e-5)


def test_training_halves_make_the_same_waveforms(model):
    wav = torch.randn(2, 1000)
    spectra = model.separate_spectra(wav, model.encode_queries(WORDS, 2))
    assert spectra.estimates.shape == spectra.masks.shape == (2, 3, 65, 32)
    torch.testing.assert_close(spectra.magnitude, model.magnitude(wav))
    est = model.to_wav(spectra.estimates, spectra)
    torch.testing.assert_close(est, model(wav, WORDS), rtol=1e-4, atol=1e-6)


def test_magnitude_takes_any_leading_shape(model):
    wav = torch.randn(2, 3, 500)
    magnitudes = model.magnitude(wav)
    assert magnitudes.shape == (2, 3, 65, 16)
    torch.testing.assert_close(magnitudes[1, 2], model.magnitude(wav[1, 2]))


def test_gradients_reach_the_masker_from_the_waveform():
    model = build_tiny().train()
    model(torch.randn(2, 2000), WORDS).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_bfloat16_autocast_leaves_the_transform_alone(model):
    wav = torch.randn(2, 3000)
    torch.nn.init.zeros_(model.masker.head.scale)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        est = model(wav, WORDS)
    assert est.dtype == torch.float32
    torch.testing.assert_close(est, wav.unsqueeze(1).expand_as(est) / 2, rtol=0, atol=1e-5)


def test_a_model_in_double_precision_works(model):
    est = model.double()(torch.randn(500, dtype=torch.float64), model_query(model))
    assert est.dtype == torch.float64 and torch.isfinite(est).all()


def model_query(model):
    query = model.encode_queries(WORDS, 1)
    return QueryEmbedding(query.tokens.double(), query.mask, query.pooled.double())


def test_frozen_encoder_is_loaded_late_and_not_saved():
    model = BiModalUNet(8000, 128, 32, "mini", **{**MASKER, "cond_dim": 128, "pooled_dim": 128})
    names = set(model.state_dict())
    parameters = len(list(model.parameters()))
    assert model._query_encoder is None
    assert model.eval()(torch.randn(500), ["violin", "the sound of a tuba"]).shape == (2, 500)
    assert set(model.state_dict()) == names
    assert len(list(model.parameters())) == parameters
    assert all(name.startswith("masker.") for name in names)


def test_release_padding_asks_for_padded_texts():
    changes = dict(cond_dim=128, pooled_dim=128, query_encoder="mini")
    unmasked, masked = (build_tiny(mask_padding=value, **changes) for value in (False, True))
    assert masked.encode_queries(["tuba"], 1).mask.all()
    assert not unmasked.encode_queries(["tuba"], 1).mask.all()


@pytest.mark.parametrize("spec", ["clap:mini", "labels:violin,tuba", "clip:mini", "outputs:2"])
def test_release_padding_reads_every_name_of_an_encoder(spec):
    encoder = load_query_encoder(spec)
    sizes = dict(cond_dim=encoder.token_dim, pooled_dim=encoder.pooled_dim)
    model = build_tiny(mask_padding=False, query_encoder=spec, **sizes)
    query = model.encode_queries(["1" if spec == "outputs:2" else "tuba"], 1)
    assert type(model.query_encoder) is type(encoder)
    assert bool(query.mask.all()) is (spec != "clap:mini")  # CLAP's texts are padded


@pytest.mark.parametrize(
    "wav, message",
    [
        (torch.tensor([0.0, float("nan")]), "NaN or infinite"),
        (torch.tensor([0.0, float("inf")]), "NaN or infinite"),
        (torch.zeros(100, dtype=torch.int16), "received torch.int16"),
        (torch.zeros(0), r"received \(0,\)"),
        (torch.zeros(1, 1, 1, 100), "received"),
    ],
)
def test_samples_that_cannot_be_separated_are_refused(model, wav, message):
    with pytest.raises(ValueError, match=message):
        model(wav, WORDS)


@pytest.mark.parametrize(
    "queries, message",
    [
        ([], "There is no query"),
        ([[], []], "There is no query"),
        (["violin", " "], "at least one word"),
        ([["violin"], ["tuba", "flute"]], "equally many"),
        ([["violin"]], "each of 2 mixtures, received 1"),
        ("violin", r"\['violin'\]"),
        ([1, 2], "Expected"),
        (None, "asked in words"),
    ],
)
def test_queries_that_cannot_be_asked_are_refused(model, queries, message):
    with pytest.raises(ValueError, match=message):
        model(torch.randn(2, 500), queries)


def test_embedding_of_another_size_is_refused(model):
    with pytest.raises(ValueError, match="each of 2 mixtures"):
        model(torch.randn(2, 500), model.encode_queries(WORDS, 1))


def test_model_without_an_encoder_says_so():
    with pytest.raises(ValueError, match="no query encoder"):
        build_tiny(query_encoder=None)(torch.randn(500), WORDS)
