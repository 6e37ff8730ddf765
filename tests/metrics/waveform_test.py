"""BSS-eval against mir_eval (recorded and live), SI-SDR against pb_bss_eval, and the edges."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch

from asteroid_bimodal.metrics import (
    LIMIT_DB,
    SILENT_ESTIMATE_DB,
    bss_eval,
    bss_evals,
    match_outputs,
    si_sdr,
)

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures" / "bss_eval.json").read_text())


def recorded_signals(case):
    """The recipe in the fixture, word for word."""
    r = np.random.RandomState(case["seed"])
    n = case["n_src"]
    s = r.randn(n, case["n"])
    for i in range(n):
        a = 0.3 + 0.6 * r.rand()
        for t in range(1, case["n"]):
            s[i, t] += a * s[i, t - 1]
    s = 0.5 * s / np.abs(s).max(axis=1, keepdims=True)
    m = np.eye(n) + 0.4 * r.rand(n, n) * (1 - np.eye(n))
    e = m @ s + (0.02 + 0.05 * r.rand()) * r.randn(n, case["n"])
    return e + 0.2 * np.roll(e, 3, axis=1), s


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: f"seed{c['seed']}")
def test_equals_recorded_mir_eval(case):
    est, ref = recorded_signals(case)
    np.testing.assert_allclose(ref[0, :3], case["check_s00"], rtol=1e-9)
    scores = bss_eval(est, ref)
    for name in ("sdr", "sir", "sar"):
        np.testing.assert_allclose(scores[name], case[name], atol=1e-6)
    of_mixture = bss_eval(np.tile(ref.sum(0), (len(ref), 1)), ref)
    np.testing.assert_allclose(of_mixture["sdr"], case["mixture_sdr"], atol=1e-6)
    np.testing.assert_allclose(of_mixture["sir"], case["mixture_sir"], atol=1e-6)


@pytest.mark.parametrize("n_src", [2, 3])
def test_equals_mir_eval_on_notes(n_src):
    separation = pytest.importorskip("mir_eval.separation")
    rng = np.random.default_rng(n_src)
    time = np.arange(8000) / 8000
    ref = np.stack(
        [
            sum(np.sin(2 * np.pi * f0 * k * time + k) / k for k in range(1, 6)) * np.exp(-2 * time)
            for f0 in rng.uniform(200, 500, n_src)
        ]
    )
    ref += 1e-3 * rng.standard_normal(ref.shape)
    est = ref + 0.3 * ref.sum(0) + 0.05 * rng.standard_normal(ref.shape)
    with pytest.warns(FutureWarning):
        expected = separation.bss_eval_sources(ref, est, compute_permutation=False)
    scores = bss_eval(est, ref)
    for name, value in zip(("sdr", "sir", "sar"), expected, strict=False):
        np.testing.assert_allclose(scores[name], value, atol=0.01)


def test_si_sdr_equals_pb_bss_eval():
    oracle = pytest.importorskip("pb_bss_eval.evaluation").si_sdr
    ref = np.random.default_rng(0).standard_normal((3, 4000)) + 0.5
    est = ref + 0.4 * np.roll(ref, 1, 0) + 0.1
    np.testing.assert_allclose(si_sdr(est, ref), oracle(ref, est), atol=1e-9)


def test_no_permutation():
    ref = np.random.default_rng(0).standard_normal((2, 4000))
    assert (bss_eval(ref[::-1], ref)["sdr"] < -5).all()


def test_tensors_equal_arrays_and_inputs_stay():
    est, ref = torch.randn(2, 2, 3000, generator=torch.Generator().manual_seed(0))
    before = est.clone(), ref.clone()
    from_tensors = bss_eval(est.requires_grad_(), ref)
    from_arrays = bss_eval(before[0].numpy(), before[1].numpy())
    for name, value in from_tensors.items():
        assert value.dtype == np.float64 and value.shape == (2,)
        np.testing.assert_array_equal(value, from_arrays[name])
    assert torch.equal(est, before[0]) and torch.equal(ref, before[1])


@pytest.mark.parametrize("gain", [3e-5, 1e4])
def test_level_does_not_matter(gain):
    est, ref = np.random.default_rng(0).standard_normal((2, 2, 3000))
    est += ref
    for name, value in bss_eval(gain * est, ref).items():
        np.testing.assert_allclose(value, bss_eval(est, ref)[name], atol=1e-6)
    np.testing.assert_allclose(si_sdr(gain * est, ref), si_sdr(est, ref), atol=1e-6)


def test_perfect_estimate_is_at_the_limit():
    ref = np.random.default_rng(0).standard_normal((2, 3000))
    for value in (*bss_eval(ref, ref).values(), si_sdr(ref, ref)):
        np.testing.assert_allclose(value, LIMIT_DB)


def test_silent_reference_is_nan_and_leaves_the_others_alone():
    rng = np.random.default_rng(0)
    ref = rng.standard_normal((3, 4000))
    est = ref + 0.3 * rng.standard_normal(ref.shape)
    ref[1] = 0
    scores, alone = bss_eval(est, ref), bss_eval(est[[0, 2]], ref[[0, 2]])
    for name, value in scores.items():
        assert np.isnan(value[1])
        np.testing.assert_allclose(value[[0, 2]], alone[name], atol=1e-9)
    assert np.isnan(si_sdr(est, ref)).tolist() == [False, True, False]


def test_silent_estimate_has_a_defined_value():
    ref = np.random.default_rng(0).standard_normal((2, 3000))
    est = np.stack([np.zeros(3000), ref[1]])
    for value in (*bss_eval(est, ref).values(), si_sdr(est, ref)):
        np.testing.assert_allclose(value, [SILENT_ESTIMATE_DB, LIMIT_DB])


def test_all_silent():
    zeros = np.zeros((2, 2000))
    assert all(np.isnan(value).all() for value in bss_eval(zeros, zeros).values())


def test_sir_needs_two_audible_references():
    rng = np.random.default_rng(0)
    ref = rng.standard_normal((1, 3000))
    scores = bss_eval(ref + 0.1 * rng.standard_normal(ref.shape), ref)
    assert np.isnan(scores["sir"]).all()
    np.testing.assert_allclose(scores["sdr"], scores["sar"])


def test_dependent_references_are_scored():
    """Twice the same sound makes the system singular; mir_eval falls back likewise."""
    rng = np.random.default_rng(0)
    ref = np.tile(rng.standard_normal((1, 4000)), (2, 1))
    scores = bss_eval(ref + 0.1 * rng.standard_normal(ref.shape), ref)
    assert all(np.isfinite(value).all() for value in scores.values())
    np.testing.assert_allclose(scores["sdr"], 20.6, atol=0.5)


@pytest.mark.parametrize(
    ("est", "ref", "message"),
    [
        (np.ones((2, 2000)), np.ones((2, 1999)), "one shape"),
        (np.ones(2000), np.ones(2000), "one shape"),
        (np.ones((0, 2000)), np.ones((0, 2000)), "one shape"),
        (np.full((2, 2000), np.nan), np.ones((2, 2000)), "finite"),
        (np.ones((2, 1000)), np.ones((2, 1000)), "at least 512 samples"),
    ],
)
def test_bad_input(est, ref, message):
    with pytest.raises(ValueError, match=message):
        bss_eval(est, ref)


def test_the_best_outputs_are_picked_by_trying_all_orders():
    generator = torch.Generator().manual_seed(0)
    ref = torch.randn(3, 4000, generator=generator)
    est = torch.einsum("es,st->et", torch.rand(5, 3, generator=generator), ref)
    est = est + 0.1 * torch.randn(est.shape, generator=generator)
    picked = match_outputs(est, ref)
    orders = [list(order) for order in permutations(range(5), 3)]
    totals = [scores["sdr"].sum() for scores in bss_evals((est[o], ref) for o in orders)]
    assert torch.equal(picked, est[orders[int(np.argmax(totals))]])


def test_a_silent_reference_takes_what_is_left():
    ref = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))
    silent = torch.stack([ref[0], torch.zeros(4000)])
    assert torch.equal(match_outputs(ref.flip(0), silent), ref)


def test_too_few_outputs_are_refused():
    with pytest.raises(ValueError, match="an output for each of 3 references, received 2"):
        match_outputs(torch.randn(2, 4000), torch.randn(3, 4000))
