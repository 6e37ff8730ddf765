"""Projections by fast recursions equal those of dense systems, which least squares give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import lstsq
from scipy.signal import lfilter

from asteroid_bimodal.metrics.projection import _correlations, _solve_dense, square_cosines

LENGTH = 60


def pairs(n_src, lengths, pole=0.0):
    """Estimates of noise, or of low sounds whose systems are hardly positive definite."""
    rng = np.random.default_rng(n_src)
    found = []
    for number, length in enumerate(lengths):
        ref = lfilter([1], [1, -2 * pole, pole**2], rng.standard_normal((n_src, length)))
        mixed = rng.standard_normal((2 + number % 2, n_src)) @ np.roll(ref, 3, axis=-1)
        found.append((mixed + 0.1 * mixed.std() * rng.standard_normal(mixed.shape), ref))
    return found


def shifts(ref):
    """All shifts of references (S, T) as columns."""
    padded = np.pad(ref, ((0, 0), (LENGTH - 1, LENGTH - 1)))
    return np.stack([row[LENGTH - 1 - k :][: ref.shape[-1] + LENGTH - 1] for row in padded
                     for k in range(LENGTH)], axis=-1)  # fmt: skip


def expected(est, basis):
    padded = np.pad(est, ((0, 0), (0, LENGTH - 1))).T
    residual = padded - basis @ lstsq(basis, padded)[0]
    return 1 - np.square(residual).sum(0) / np.square(padded).sum(0)


@pytest.mark.parametrize("n_src", [1, 2, 4])
@pytest.mark.parametrize("pole", [0.0, 0.97])
def test_cosines_are_those_of_least_squares(n_src, pole):
    items = pairs(n_src, [2000, 9000, 2000], pole)
    for (est, ref), (alone, together) in zip(items, square_cosines(items, LENGTH), strict=True):
        for i in range(n_src):
            np.testing.assert_allclose(alone[i], expected(est, shifts(ref[i : i + 1])), atol=1e-9)
        np.testing.assert_allclose(together, expected(est, shifts(ref)), atol=1e-9)


def test_dense_systems_give_the_same():
    ((est, ref),) = pairs(3, [4000])
    fast, dense = (
        square_cosines([(est, ref)], LENGTH)[0],
        _solve_dense(*_correlations(est, ref, LENGTH)),
    )
    for one, other in zip(fast, dense, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_one_singular_item_changes_no_other():
    items = pairs(2, [4000] * 12)
    expected_of_others = square_cosines(items, LENGTH)
    time = np.arange(4000)
    tones = np.sin(np.outer([0.2, 0.9], time))
    items[5] = (items[5][0], tones)
    items[9] = (items[9][0], np.tile(items[9][1][:1], (2, 1)))
    found = square_cosines(items, LENGTH)
    for number in set(range(12)) - {5, 9}:
        for one, other in zip(found[number], expected_of_others[number], strict=True):
            np.testing.assert_array_equal(one, other)
    for number in (5, 9):
        assert all(((0 <= part) & (part <= 1 + 1e-9)).all() for part in found[number])
