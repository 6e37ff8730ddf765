"""Streams of any rate: they give what separating the whole signal gives."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from tiny_model import build_tiny

from asteroid_bimodal.dsp.resample import resample
from asteroid_bimodal.models import AudioSep, BiModalUNet, QueriedSeparator
from asteroid_bimodal.models.likelihood import Score
from asteroid_bimodal.models.streaming import SeparationStream, window_sizes

LIKELIHOOD = {"bias": 1.0, "level": 0.1, "mask": 1.0, "spread": 0.1}


def halving_model():
    """What it returns differs from half of its input by resampling alone."""
    model = build_tiny()
    model.forward_masker = lambda tf_rep, query: torch.full_like(
        tf_rep[:, None, : tf_rep.shape[1] // 2], 0.5
    )
    return model


@pytest.fixture
def short_windows(monkeypatch):
    monkeypatch.setattr(QueriedSeparator, "window_hop", 2)
    monkeypatch.setattr(QueriedSeparator, "window_overlap", 1)


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def decibels(error, reference):
    return 20 * math.log10(float(error.norm() / reference.norm()) + 1e-12)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 22050, 11025, 6000, 44101])
def test_resampling_by_windows_equals_resampling_the_whole(short_windows, rate):
    wav = noise(2, 9 * rate + 1234)
    blocks, options = wav.split(10_000, dim=-1), {"extend": False}
    pieces = list(SeparationStream(halving_model(), blocks, ["a"], rate, **options))
    assert len(pieces) > 3
    there = resample(wav, rate, 8000)
    expected = 0.5 * resample(there, 8000, rate, length=wav.shape[-1])
    assert decibels(torch.cat(pieces, dim=-1)[0] - expected, expected) < -100


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_signal_of_one_window_is_separated_as_the_model_does_it(rate, channels):
    model, wav = build_tiny(), noise(channels, 3000)
    (piece,) = SeparationStream(model, [wav], ["violin", "a tuba"], rate, extend=False)
    with torch.no_grad():
        expected = model(resample(wav, rate, 8000).unsqueeze(0), ["violin", "a tuba"])
    expected = resample(expected, 8000, rate, length=3000)
    torch.testing.assert_close(piece, expected.reshape(2, channels, 3000), rtol=0, atol=0)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_estimates_and_residual_add_up_to_the_input(short_windows, batch_size):
    wav = noise(2, 22050 * 8)
    options = {"residual": True, "batch_size": batch_size}
    pieces = SeparationStream(build_tiny(), wav.split(7000, -1), ["violin"], 22050, **options)
    tracks = torch.cat(list(pieces), dim=-1)
    assert tracks.shape == (2, 2, 22050 * 8)
    torch.testing.assert_close(tracks.sum(0), wav, rtol=0, atol=1e-6)


def test_stationary_signal_is_separated_as_in_one_pass_to_60_db(short_windows):
    time = torch.arange(8 * 16_000)
    wav = 0.1 * sum(torch.cos(2 * math.pi * k * time / 64 + k) / k for k in (1, 3, 5, 8))
    model, queries = build_tiny(), ["violin", "a tuba"]
    blocks, options = wav.unsqueeze(0).split(9999, -1), {"extend": False}
    pieces = SeparationStream(model, blocks, queries, 16_000, **options)
    streamed = torch.cat(list(pieces), dim=-1)[:, 0]
    with torch.no_grad():
        whole = resample(model(resample(wav, 16_000, 8000), queries), 8000, 16_000)
    assert decibels(streamed - whole, whole) < -60


@pytest.mark.parametrize("model_rate, hop_length", [(8000, 255), (16000, 256), (8000, 32)])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000, 44101])
def test_windows_start_where_samples_of_both_rates_and_frames_coincide(
    model_rate, hop_length, rate
):
    model = SimpleNamespace(
        sample_rate=model_rate, hop_length=hop_length, window_hop=16, window_overlap=8
    )
    hop, overlap = window_sizes(model, rate)
    assert hop * model_rate % rate == 0
    assert 8 * rate <= hop <= 24 * rate and overlap == 8 * rate
    if rate != 44101:
        assert hop * model_rate // rate % hop_length == 0


def test_windows_are_about_sixteen_seconds_and_eight():
    model = BiModalUNet(8000, 1022, 255, None, ngf=2, num_heads=2)
    assert window_sizes(model, 8000) == (8 * 64 * 255, 64000)
    assert window_sizes(model, 44100) == (719712, 352800)


def test_windows_of_audiosep_are_shorter():
    model = AudioSep(32000, 2048, 320, None, ngf=2)
    assert window_sizes(model, 44100) == (9 * 64 * 320 * 441 // 320, 4 * 44100)


def with_masks(*levels):
    """A separator whose masks are constants, one for each query."""
    model = build_tiny()
    model.forward_masker = lambda tf_rep, query: (
        torch.tensor(levels)[None, :, None, None]
        * torch.ones(len(tf_rep), 1, tf_rep.shape[1] // 2, tf_rep.shape[2])
    )
    return model


@pytest.mark.parametrize("levels, left", [((0.25,), 0.75), ((0.25, 0.5), 0.25), ((0.7, 0.6), 0.0)])
def test_everything_but_some_sounds_is_what_they_do_not_take_together(levels, left):
    wav, words = noise(2, 3000), ["a", "b"][: len(levels)]
    options = {"num_negative": len(levels), "residual": True}
    (piece,) = SeparationStream(with_masks(*levels), [wav], words, 8000, **options)
    torch.testing.assert_close(piece[0], left * wav, rtol=0, atol=1e-6)
    torch.testing.assert_close(piece[1], (1 - left) * wav, rtol=0, atol=1e-6)


def test_everything_but_a_sound_keeps_what_is_above_the_models_band():
    time = torch.arange(16_000) / 32_000
    wav = torch.sin(2 * math.pi * 10_000 * time).unsqueeze(0)
    options = {"num_negative": 1, "extend": False}
    (piece,) = SeparationStream(with_masks(0.9), [wav], ["a"], 32_000, **options)
    assert decibels((piece[0] - wav)[:, 2000:-2000], wav) < -40


def test_what_is_above_the_band_goes_where_the_upper_half_of_the_band_does(short_windows):
    """Of what has all of that, or half of all: also when it is quieter for a second."""
    wav = noise(2, 9 * 44_100)
    wav[:, 44_100 : 2 * 44_100] *= 0.1
    options = {"residual": True}
    stream = SeparationStream(
        with_masks(1.0, 0.0), wav.split(7000, -1), ["a", "b"], 44_100, **options
    )
    all_, nothing, rest = torch.cat(list(stream), dim=-1)
    torch.testing.assert_close(all_, wav, rtol=0, atol=1e-5)
    assert decibels(nothing, wav) < -80 and decibels(rest, wav) < -80
    stream = SeparationStream(with_masks(0.5, 0.5), [wav], ["a", "b"], 44_100, **options)
    half, same, rest = torch.cat(list(stream), dim=-1)
    torch.testing.assert_close(half, 0.5 * wav, rtol=0, atol=1e-5)
    torch.testing.assert_close(half + same + rest, wav, rtol=0, atol=1e-6)
    stream = SeparationStream(with_masks(1.0), [wav], ["a"], 44_100, num_negative=1, **options)
    without, taken = torch.cat(list(stream), dim=-1)
    assert decibels(without, wav) < -80
    torch.testing.assert_close(without + taken, wav, rtol=0, atol=1e-6)


def test_a_sound_but_not_another_loses_what_the_other_takes():
    wav = noise(1, 3000)
    model, words = with_masks(0.5, 0.25), ["a", "b"]
    (piece,) = SeparationStream(model, [wav], words, 8000, num_negative=1, residual=True)
    torch.testing.assert_close(piece[0], 0.375 * wav, rtol=0, atol=1e-6)
    torch.testing.assert_close(piece.sum(0), wav, rtol=0, atol=1e-6)


def run(model, wav, words, **options):
    stream = SeparationStream(model, wav, words, 8000, **options)
    return torch.cat(list(stream), dim=-1), stream


def test_the_likelihood_of_one_window_is_that_of_its_spectra():
    model, wav, words = build_tiny(likelihood=LIKELIHOOD), noise(1, 3000), ["violin", "a tuba"]
    _, stream = run(model, [wav], words)
    spectra = model.separate_spectra(wav, model.encode_queries(words, 1))
    expected = model.calibration.likelihoods(spectra, 1000)[0, :, 0]
    torch.testing.assert_close(stream.likelihoods, expected.detach())
    assert [score.likelihood for score in stream.scores[0]] == stream.likelihoods.tolist()


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_likelihood_of_a_long_signal_is_that_of_its_likeliest_passage(
    short_windows, batch_size
):
    wav = torch.zeros(1, 12 * 8000)
    wav[:, 6 * 8000 :] = noise(1, 6 * 8000)
    model = build_tiny(likelihood=LIKELIHOOD)
    _, loud = run(model, [wav[:, 6 * 8000 :]], ["violin"])
    _, whole = run(model, [wav], ["violin"], batch_size=batch_size)
    assert whole.likelihoods.tolist() == pytest.approx(loud.likelihoods.tolist(), abs=0.02)


def test_silence_is_unlikely_to_be_anything_and_has_no_level():
    _, stream = run(build_tiny(likelihood=LIKELIHOOD), [torch.zeros(1, 3000)], ["a"])
    assert stream.likelihoods.tolist() == [0.0] and stream.levels.tolist() == [-math.inf]
    assert stream.scores == [[Score(-math.inf, 0.0)]]


def test_without_calibration_and_of_what_is_left_over_there_is_a_level_alone():
    _, stream = run(build_tiny(), [noise(1, 3000)], ["a"])
    assert stream.likelihoods is None and stream.scores[0][0].likelihood is None
    _, stream = run(build_tiny(likelihood=LIKELIHOOD), [noise(1, 3000)], ["a"], num_negative=1)
    assert stream.scores[0][0].likelihood is None and stream.scores[0][0].level < 0


def with_likelihoods(*values):
    """A model of equal masks of 0.5 that takes its queries for so likely."""
    model = with_masks(*[0.5] * len(values))
    model.likelihoods = lambda spectra, query: torch.tensor(values)[None, :, None].expand(
        len(spectra.masks), -1, 2
    )
    return model


def test_the_gate_lowers_unlikely_sounds_in_proportion_and_sums_stay_exact():
    wav = noise(1, 3000)
    found, stream = run(with_likelihoods(0.9, 0.25, 0.05, 0.0), [wav], list("abcd"), residual=True)
    torch.testing.assert_close(found.sum(0), wav)
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], 0.2 * found[0])
    assert not found[3].any()
    half = 20 * math.log10(0.5)
    expected = [half, half, half + 20 * math.log10(0.2), -math.inf]
    assert stream.levels.tolist() == pytest.approx(expected, abs=1e-3)


def test_the_gate_is_the_same_above_the_band_of_the_model():
    wav, options = noise(1, 6000), {"sample_rate": 16000, "queries": ["a"]}
    model = with_likelihoods(0.05)
    gated, whole = (
        next(iter(SeparationStream(model, [wav], gate=gate, **options))) for gate in (True, False)
    )
    torch.testing.assert_close(gated, 0.2 * whole)
    assert decibels(whole, wav) > -10


@pytest.mark.parametrize("level, gated", [(1e-3, False), (1e-5, True)])
def test_a_quiet_passage_decides_on_the_gate_unless_it_is_silent(level, gated):
    wav, model = noise(1, 6 * 8000), with_masks(0.5)
    wav[:, : 4 * 8000] *= level

    def quiet_is_likely(spectra, query):
        first = spectra.magnitude[..., :100].mean((-2, -1))
        return torch.stack([0.9 * (first < 0.1), 0.01 * torch.ones_like(first)], dim=-1)[:, None]

    model.likelihoods = quiet_is_likely
    found, stream = run(model, [wav], ["a"])
    expected = (0.01 / 0.25 if gated else 1) * 0.5 * wav
    torch.testing.assert_close(found[0], expected, atol=1e-6, rtol=1e-4)
    assert stream.likelihoods.tolist() == pytest.approx([0.01])


@pytest.mark.parametrize("options", [{"gate": False}, {"share": True}])
def test_what_shares_the_input_and_what_shall_stay_is_not_gated(options):
    found, _ = run(with_likelihoods(0.9, 0.01), [noise(1, 3000)], ["a", "b"], **options)
    torch.testing.assert_close(found[0], found[1])


def test_the_gate_is_of_each_window_by_its_likeliest_passage(short_windows):
    wav, model = noise(1, 12 * 8000), with_masks(0.5)
    quiet = 0.1 * wav
    quiet[:, 6 * 8000 :] = wav[:, 6 * 8000 :]

    def loud_is_likely(spectra, query):
        likely = 0.9 * (spectra.magnitude.mean((-2, -1)) > 0.2)
        return torch.stack([torch.zeros_like(likely), likely], dim=-1)[:, None]

    model.likelihoods = loud_is_likely
    found, stream = run(model, quiet.split(7000, -1), ["a"])
    assert not found[..., : 3 * 8000].any()
    torch.testing.assert_close(found[0, :, 8 * 8000 :], 0.5 * wav[:, 8 * 8000 :])
    assert stream.likelihoods.tolist() == pytest.approx([0.9])


def test_levels_are_relative_to_the_mixture(short_windows):
    _, stream = run(with_masks(0.5, 0.1), noise(2, 9 * 8000).split(5000, dim=-1), ["a", "b"])
    expected = [20 * math.log10(0.5), -20.0]
    assert stream.levels.tolist() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_mixtures_of_a_batch_are_separated_as_each_alone(short_windows, batch_size):
    model, wav = build_tiny(likelihood=LIKELIHOOD), noise(3, 2, 6 * 8000)
    words = [["violin", "a tuba"], ["gong", "bell"], ["flute", "a violin"]]
    query = model.encode_queries(words, 3)
    found, stream = run(model, wav.split(7000, -1), query, batch_size=batch_size, residual=True)
    assert found.shape == (3, 3, 2, 6 * 8000)
    for number in range(3):
        alone, own = run(model, [wav[number]], words[number], residual=True)
        torch.testing.assert_close(found[number], alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            stream.likelihoods[number], own.likelihoods, rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(stream.levels[number], own.levels, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("angle", [0.0, math.pi, 1.0])
def test_complex_masks_turn_phases_and_limit_their_sum(angle):
    model = build_tiny()
    factor = 0.5 * torch.exp(torch.tensor(1j * angle))
    model.forward_masker = lambda tf_rep, query: factor.expand(
        len(tf_rep), query.num_queries, tf_rep.shape[1] // 2, tf_rep.shape[2]
    )
    phase = 2 * math.pi * 1000 / 8000 * torch.arange(16_000, dtype=torch.float64)
    wav, turned = phase.sin().float().unsqueeze(0), 0.5 * (phase + angle).sin().float()
    found, stream = run(model, [wav], ["a"])
    inner = slice(500, -500)
    torch.testing.assert_close(found[0, 0, inner], turned[inner], rtol=0, atol=1e-4)
    torch.testing.assert_close(model(wav, ["a"])[0, 0, inner], turned[inner], rtol=0, atol=1e-4)
    assert stream.levels.tolist() == pytest.approx([20 * math.log10(0.5)], abs=1e-3)
    # Two negative queries add up to magnitude 1.
    rest, _ = run(model, [wav], ["a", "b"], num_negative=2)
    expected = wav[0] - 2 * turned
    torch.testing.assert_close(rest[0, 0, inner], expected[inner], rtol=0, atol=1e-4)


def test_training_mode_comes_back():
    model = build_tiny().train()
    for _ in SeparationStream(model, [noise(1, 2000)], ["violin"], 8000):
        assert model.training


@pytest.mark.parametrize(
    "blocks, match",
    [
        ([], "at least one sample"),
        ([noise(1, 500), noise(2, 500)], "differ in length only"),
        ([noise(1, 500) / 0], "NaN or infinite"),
    ],
)
def test_bad_input_is_refused(blocks, match):
    with pytest.raises(ValueError, match=match):
        list(SeparationStream(build_tiny(), blocks, ["violin"], 8000))
