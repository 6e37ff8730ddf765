"""Every public metric gives decibels of whatever fits: sizes, precisions and content are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from degenerate import Numbers, dtypes, fills, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_bimodal import metrics
from asteroid_bimodal.metrics import LIMIT_DB, SILENT_ESTIMATE_DB, compare, evaluate_item, si_sdr
from asteroid_bimodal.metrics.waveform import is_silent

NO_METRICS = {"METRICS", "Scorer", "metric_title", "summarise", "write_json", "write_rows"}
NO_METRICS |= {"mean_by_item"}  # a table of other metrics
NO_METRICS |= {"octave_deviation"}  # it says nothing of many octaves; `colouration` averages it
PHRASES = ["violin", "flute"]


class Scorer:
    """Works in a precision of its own."""

    def __init__(self, dtype):
        self.dtype = dtype

    def embed_audio(self, wav, sample_rate):
        return torch.stack([wav.mean(-1), wav.abs().mean(-1), wav[:, 0]], dim=-1)

    def embed_text(self, texts):
        return torch.tensor([[len(text), 1.0, 0.0] for text in texts], dtype=self.dtype)


def bss_eval(est, ref):
    return np.stack(list(metrics.bss_eval(est, ref).values()), axis=-1)  # (S, 3)


def bss_evals(est, ref):
    found = metrics.bss_evals([(est, ref), (ref, ref), (est, ref)])
    return np.stack(list(found[2].values()), axis=-1)


def match_outputs(est, ref):
    return metrics.match_outputs(torch.cat([est, est[:1]]), ref).detach().double().numpy()


def item(dtype):
    def evaluate(est, ref):
        options = {"phrases": PHRASES[: len(ref)], "sample_rate": 8000, "scorer": Scorer(dtype)}
        rows = evaluate_item(est, ref, ref.sum(0), **options)
        names = ("sdr", "sir", "sar", "si_sdr", "clap_score")
        return np.array([[row[name] for name in names] for row in rows])  # (S, 5)

    return evaluate


CASES = {
    "bss_eval": [bss_eval],
    "bss_evals": [bss_evals],
    "colouration": [lambda est, ref: metrics.colouration(est, ref, 8000)[:, None]],
    "evaluate_item": [item(torch.float32), item(torch.bfloat16)],
    "match_outputs": [match_outputs],
    "si_sdr": [lambda est, ref: si_sdr(est, ref)[:, None]],
}
PUBLIC = [name for name in metrics.__all__ if name not in NO_METRICS and not name.isupper()]


def draw(data, name, **given_dtypes):
    assert name in CASES, f"Add a case for {name} to CASES."
    sources, generator = data.draw(st.integers(1, 2)), seeded()
    length = sources * 512 + data.draw(st.integers(0, 2))
    if name == "si_sdr":
        length = data.draw(st.integers(1, 40))
    kinds = [Numbers(data.draw(fills), data.draw(dtypes), generator) for _ in range(2)]
    return [kind.signals(sources, length) for kind in kinds]


@pytest.mark.parametrize("name", PUBLIC)
@settings(max_examples=15)
@given(data=st.data())
def test_scores_are_decibels_or_nan_of_silence(name, data):
    est, ref = draw(data, name)
    before = [est.clone(), ref.clone()]
    est.requires_grad_()
    scores = data.draw(st.sampled_from(CASES[name]))(est, ref)
    assert torch.equal(est, before[0]) and torch.equal(ref, before[1])
    if name == "match_outputs":
        assert scores.shape == est.shape and np.isfinite(scores).all()
        return
    centred = ref.double().numpy()
    if name == "si_sdr":
        centred = centred - centred.mean(-1, keepdims=True)
    assert len(scores) == len(est)
    known = np.isfinite(scores)
    assert not np.isinf(scores).any() and (np.abs(scores[known]) <= LIMIT_DB + 1e-9).all()
    assert np.array_equal(known[:, 0], ~is_silent(centred))


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "match_outputs"])
@settings(max_examples=10)
@given(data=st.data(), gain=st.sampled_from((1e-3, 0.3, 50.0, -1.0)))
def test_neither_order_nor_level_matters(name, data, gain):
    est, ref = (signal.double() for signal in draw(data, name))
    score = CASES[name][0]
    scores = score(est, ref)
    flipped = score(est.flip(0), ref.flip(0))[::-1]
    np.testing.assert_allclose(flipped[:, :4], scores[:, :4], rtol=1e-4, atol=1e-4)  # no phrases
    if name != "evaluate_item" and not is_silent(gain * est.numpy()).any():
        np.testing.assert_allclose(score(gain * est, ref), scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(name, dtype, bad):
    good = torch.rand(2, 1100).to(dtype)
    broken = good.clone()
    broken[-1, -1] = bad
    for est, ref in ((broken, good), (good, broken)):
        with pytest.raises(ValueError, match="Expected finite samples"):
            CASES[name][0](est, ref)
    with pytest.raises(ValueError, match="Expected .* one shape"):
        CASES[name][0](good[:, :1050], good)


@given(
    values=st.lists(
        st.sampled_from((np.nan, SILENT_ESTIMATE_DB, 0.0, LIMIT_DB)), min_size=2, max_size=5
    )
)
def test_equal_evaluations_do_not_differ(values):
    rows = [{"item": i, "source": 0, "label": "violin", "sdr": v} for i, v in enumerate(values)]
    result = compare.compare_rows(rows, rows)
    known = np.isfinite(values).sum()
    assert result.difference["sdr"] == (0 if known else None)
    assert result.difference["interval_95"]["sdr"] == ([0, 0] if known > 1 else None)
