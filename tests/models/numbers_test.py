"""Each separator is finite, with its gradients, for any audio; sizes and content are drawn."""

from __future__ import annotations

import pytest
import torch
from degenerate import Numbers, dtypes, fills, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_bimodal import models
from asteroid_bimodal.dsp.spectral import magnitude
from asteroid_bimodal.models import QueriedSeparator
from asteroid_bimodal.queries.base import QueryEmbedding

SIZES = {
    "AudioSep": dict(num_downs=3, ngf=2),
    "BiModalUNet": dict(out_dim=3, cond_dim=6, num_downs=5, ngf=2, num_heads=2),
    "CLIPSep": dict(out_dim=3, num_downs=5, ngf=2, log_freq_bins=32),
    "LASSNet": dict(num_downs=5, ngf=4, film_dim=4),
    "LightBiModalUNet": dict(out_dim=3, cond_dim=6, num_downs=5, ngf=2, num_heads=2),
}
PUBLIC = [
    name
    for name in models.__all__
    if isinstance(kind := getattr(models, name), type)
    and issubclass(kind, QueriedSeparator)
    and kind is not QueriedSeparator
]


def build(name, input_level):
    assert name in SIZES, f"Add the sizes of a small {name} to SIZES."
    torch.manual_seed(0)
    return getattr(models, name)(
        8000, 64, 16, None, pooled_dim=5, input_level=input_level, **SIZES[name]
    )


def draw(data, shortest=1):
    """Mixtures (B, C, T) and as many rows of queries."""
    batch, channels = (data.draw(st.integers(1, 2)) for _ in range(2))
    length = data.draw(st.integers(shortest, 200))
    numbers = Numbers(data.draw(fills), data.draw(dtypes), seeded())
    wav = numbers.signals(batch, channels, length)
    num_queries = data.draw(st.integers(1, 2))
    query = QueryEmbedding(
        torch.randn(batch, num_queries, 3, 6, generator=seeded(1)),
        torch.ones(batch, num_queries, 3, dtype=torch.bool),
        torch.randn(batch, num_queries, 5, generator=seeded(2)),
    )
    # What is louder is refused: `tests/dsp/samples_test.py`.
    return wav.clamp(-1000, 1000), query


@pytest.mark.parametrize("name", PUBLIC)
@settings(max_examples=12)
@given(data=st.data(), input_level=st.sampled_from((None, 1.0)))
def test_estimates_and_gradients_are_finite_and_the_input_is_as_before(name, data, input_level):
    model, (wav, query) = build(name, input_level), draw(data)
    before = wav.clone()
    wav.requires_grad_()
    estimates = model(wav, query)
    batch, channels, length = wav.shape
    axes = (batch, query.num_queries, *([channels] if channels > 1 else []), length)
    assert estimates.shape == axes and estimates.dtype == wav.dtype
    assert torch.isfinite(estimates).all()
    estimates.double().sum().backward()
    assert torch.equal(wav, before)
    for gradient in (wav.grad, *(weight.grad for weight in model.parameters())):
        assert gradient is None or torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", PUBLIC)
@settings(max_examples=6)
@given(data=st.data())
def test_mixtures_do_not_see_each_other_and_the_residual_completes_them(name, data):
    model, (wav, query) = build(name, None).eval(), draw(data, shortest=64)  # a frame
    with torch.no_grad():
        swapped = model(wav.flip(0), _flip(query))
        torch.testing.assert_close(swapped.flip(0), model(wav, query), rtol=1e-2, atol=1e-4)
    result = model.separate(wav, query, sample_rate=8000, residual=True)
    added = result.estimates.double().sum(1) + result.residual.double()
    error = (added - wav.double().reshape(added.shape)).abs().max()
    assert error <= 4 * torch.finfo(wav.dtype).eps * max(1, result.estimates.abs().max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("frequencies", [1, 2, 5, 33])
def test_gradient_of_the_magnitude_of_subnormal_numbers(dtype, frequencies):
    faint = torch.full((2 * frequencies, 3), torch.finfo(dtype).tiny / 100, dtype=dtype)
    magnitude(faint.requires_grad_()).sum().backward()
    assert torch.isfinite(faint.grad).all()


def _flip(query):
    return QueryEmbedding(*(part.flip(0) for part in (query.tokens, query.mask, query.pooled)))
