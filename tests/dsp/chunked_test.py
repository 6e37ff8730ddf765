"""Overlap-add: no window can be heard, queries are encoded once, memory stays small."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from tiny_model import build_tiny

from asteroid_bimodal.dsp.chunked import QueryOverlapAdd, cross_fade, cut_windows


def identity(wav, queries):
    """(B, T) or (B, C, T) to (B, Q, ...)."""
    return torch.stack([wav] * len(queries), dim=1)


class Smoothing:
    """Averages around each sample, as far as the query is long; counts what it is asked."""

    def __init__(self):
        self.encoded, self.passes = [], []

    def encode_queries(self, queries, batch_size):
        self.encoded.append((queries, batch_size))
        return [[len(text) for text in queries]] * batch_size

    def __call__(self, wav, lengths):
        self.passes.append(tuple(wav.shape))
        assert len(lengths) == len(wav) and len({tuple(row) for row in lengths}) == 1
        return torch.stack([self._smooth(wav, length) for length in lengths[0]], dim=1)

    def _smooth(self, wav, length):
        kernel = torch.ones(1, 1, 2 * length + 1) / (2 * length + 1)
        flat = F.conv1d(wav.reshape(-1, 1, wav.shape[-1]), kernel, padding=length)
        return flat.reshape(wav.shape)


def decibels(error, reference):
    return 20 * math.log10(float(error.norm() / reference.norm()) + 1e-12)


@pytest.mark.parametrize("length", [1, 7, 99, 100, 101, 150, 151, 1234])
@pytest.mark.parametrize("hop", [None, 1, 30, 50, 77, 100])
def test_identity_gives_the_input_back(length, hop):
    wav = torch.randn(2, length, generator=torch.Generator().manual_seed(length))
    chunked = QueryOverlapAdd(identity, 100, hop, batch_size=3)
    estimates = chunked(wav, ["a", "b"])
    assert estimates.shape == (2, 2, length)
    torch.testing.assert_close(estimates, identity(wav, "ab"), rtol=0, atol=0)


def test_weights_are_those_of_the_docstring():
    """A model whose estimate is the number of the window shows the later window's weight."""
    numbers = itertools.count()

    def number(wav, queries):
        return torch.stack([torch.full_like(row, float(next(numbers))) for row in wav])[:, None]

    estimate = QueryOverlapAdd(number, 24, 16)(torch.zeros(1, 40), ["x"])[0, 0]
    places = (torch.arange(8) + 0.5) / 8
    fade = torch.sin(math.pi / 2 * (2 * places - 0.5).clamp(0, 1)) ** 2
    assert fade[:2].eq(0).all() and fade[-2:].eq(1).all()
    expected = torch.cat([torch.zeros(16), fade, torch.ones(16)])
    torch.testing.assert_close(estimate, expected)


@pytest.mark.parametrize("shape", [(1000,), (2, 1000), (2, 3, 1000), (1, 1, 1000)])
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_short_memory_makes_windows_and_one_pass_equal(shape, batch_size):
    wav = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    queries = ["one", "twelve"]  # 6 samples to each side: less than a quarter of the overlap
    chunked = QueryOverlapAdd(Smoothing(), 128, batch_size=batch_size)
    model = Smoothing()
    batch = wav.unsqueeze(0) if wav.ndim == 1 else wav
    expected = model(batch, model.encode_queries(queries, len(batch)))
    expected = expected[0] if wav.ndim == 1 else expected
    torch.testing.assert_close(chunked(wav, queries), expected, rtol=0, atol=1e-6)


def test_queries_are_encoded_once_and_windows_run_in_batches():
    model = Smoothing()
    QueryOverlapAdd(model, 100, 60, batch_size=4)(torch.randn(2, 460), ["one", "twelve"])
    assert model.encoded == [(["one", "twelve"], 2)]
    # Windows start at 0, 60, ... 360.
    assert model.passes == [(8, 100), (6, 100)]
    model = Smoothing()
    QueryOverlapAdd(model, 100, 60, batch_size=4)(torch.randn(2, 461), ["one", "twelve"])
    assert model.passes == [(8, 100), (6, 100), (2, 41)]  # the last one starts at 420


def test_lists_of_queries_for_each_mixture_follow_their_mixture():
    def scale(wav, queries):
        assert len(queries) == len(wav)
        gains = torch.tensor([[float(len(text)) for text in row] for row in queries])
        return gains[:, :, None] * wav[:, None]

    wav, queries = torch.randn(2, 500), [["a", "bb"], ["ccc", "dddd"]]
    chunked = QueryOverlapAdd(scale, 64, batch_size=5)
    torch.testing.assert_close(chunked(wav, queries), scale(wav, queries))


@pytest.mark.parametrize("sizes", [[1] * 300, [300], [0, 100, 0, 200], [99, 1, 2, 198]])
def test_pieces_of_any_length_give_what_the_whole_gives(sizes):
    wav = torch.randn(2, 300)
    chunked = QueryOverlapAdd(Smoothing(), 40, 30, batch_size=2)
    pieces = list(chunked.separate_stream(wav.split(sizes, dim=-1), ["abc"]))
    torch.testing.assert_close(torch.cat(pieces, dim=-1), chunked(wav, ["abc"]))
    assert all(piece.shape[-1] <= 30 for piece in pieces[:-1])


def test_memory_does_not_grow_with_the_length():
    """A signal without end: pieces come out as soon as their windows are there."""
    read = itertools.count()
    blocks = (torch.full((1, 10), float(next(read))) for _ in itertools.repeat(None))
    chunked = QueryOverlapAdd(identity, 40, batch_size=2)
    for number, piece in enumerate(itertools.islice(chunked.separate_stream(blocks, "a"), 200)):
        assert piece.shape == (1, 1, 20) and piece[0, 0, 0] == 2 * number
        assert piece.untyped_storage().nbytes() <= 4 * 2 * 40
    assert next(read) <= 2 * 200 + 2 * 4


def test_no_gradients_are_kept():
    wav = torch.randn(1, 100, requires_grad=True)
    assert not QueryOverlapAdd(identity, 40)(wav, "a").requires_grad


@pytest.fixture(scope="module")
def tone():
    """What a spectrogram shows as lines: its period is the hop of the tiny model's STFT."""
    time = torch.arange(40_000)
    tones = [torch.cos(2 * math.pi * k * time / 32 + k) / k for k in (1, 3, 5, 8, 11)]
    return 0.1 * sum(tones)


@pytest.mark.parametrize("channels", [1, 2])
def test_separator_gives_what_one_pass_gives_to_60_db_on_a_stationary_signal(tone, channels):
    model, queries = build_tiny(), ["violin", "a tuba"]
    wav = torch.stack([tone, -0.3 * tone])[:channels].unsqueeze(0)
    with torch.no_grad():
        one_pass = model(wav, queries)
    chunked = QueryOverlapAdd(model, 8192, 4096, batch_size=2)(wav, queries)
    assert chunked.shape == one_pass.shape
    assert decibels(chunked - one_pass, one_pass) < -60


def test_signal_of_one_window_is_one_pass(tone):
    model = build_tiny()
    with torch.no_grad():
        expected = model(tone[None, :5000], ["violin"])
    chunked = QueryOverlapAdd(model, 5000)(tone[None, :5000], ["violin"])
    torch.testing.assert_close(chunked, expected, rtol=0, atol=0)


def test_estimates_and_residual_add_up_to_the_input(tone):
    model = build_tiny()

    def with_residual(wav, queries):
        estimates = model(wav, queries)
        return torch.cat([estimates, wav.unsqueeze(1) - estimates.sum(1, keepdim=True)], dim=1)

    wav = tone[None] + 0.1 * torch.randn(1, 40_000)
    parts = QueryOverlapAdd(with_residual, 9000, 7000)(wav, ["violin", "tuba"])
    torch.testing.assert_close(parts.sum(1), wav, rtol=0, atol=1e-6)


def test_silence_gives_silence():
    estimates = QueryOverlapAdd(build_tiny(), 2000)(torch.zeros(1, 5000), ["violin"])
    assert not estimates.any()


@pytest.mark.parametrize(
    "sizes, match",
    [
        ((0,), "hop_size between 1 and window_size"),
        ((100, 0), "hop_size between 1 and window_size"),
        ((100, 101), "received 101"),
        ((100, 50, 0), "batch_size of 1 or more, received 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, match):
    with pytest.raises(ValueError, match=match):
        QueryOverlapAdd(identity, *sizes)


@pytest.mark.parametrize(
    "blocks, match",
    [
        ([], "at least one sample, received none"),
        ([torch.zeros(2, 0)], "at least one sample, received none"),
        ([torch.zeros(0, 9)], r"received \(0, 9\)"),
        ([torch.zeros(1, 1, 1, 9)], r"received \(1, 1, 1, 9\)"),
        ([torch.tensor(0.0)], r"received \(\)"),
        ([[0.0, 1.0]], "received list"),
        ([torch.zeros(9, dtype=torch.int16)], "received torch.int16. Divide"),
        ([torch.zeros(2, 9), torch.zeros(1, 9)], r"one of \(1, 9\) after others of \(2, 'T'\)"),
    ],
)
def test_samples_that_are_none_are_refused(blocks, match):
    with pytest.raises(ValueError, match=match):
        list(QueryOverlapAdd(identity, 4).separate_stream(blocks, "a"))


@pytest.mark.parametrize("bad", [lambda wav, _: wav[:, None, 1:], lambda wav, _: wav[0]])
def test_model_that_changes_the_length_or_drops_mixtures_is_refused(bad):
    with pytest.raises(ValueError, match="model that gives estimates of shape"):
        QueryOverlapAdd(bad, 4)(torch.zeros(2, 9), "a")


def test_what_the_separator_refuses_is_refused(tone):
    chunked = QueryOverlapAdd(build_tiny(), 2000)
    with pytest.raises(ValueError, match="NaN"):
        chunked(torch.where(torch.arange(40_000) == 5000, torch.nan, tone), ["violin"])
    with pytest.raises(ValueError, match="at least one word"):
        chunked(tone[:100], [""])


def test_windows_and_fades_by_hand():
    windows = cut_windows([torch.arange(3.0), torch.arange(3.0, 8.0)], 4, 3)
    assert [window.tolist() for window in windows] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7]]
    assert cross_fade(torch.ones(0), torch.zeros(2)).tolist() == [0, 0]
