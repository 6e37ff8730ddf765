r"""How much of a signal lies in the span of the shifts of others: the projections of BSS-eval.

With $x_i$ the references and $y$ an estimate, all of norm 1, the squared cosine between $y$ and the
span of the first $L$ shifts of some references is $b^\top T^{-1} b$, where $T$ holds the
correlations of all pairs of shifts and $b$ those with $y$ [2]. $T$ is a block Toeplitz matrix:

* its entries are correlations at fewer than $L$ lags, summed over blocks that a short FFT holds;
* its Cholesky factor comes out column by column from a generalised Schur algorithm [4], in
  $O(S^3 L^2)$ steps instead of $O(S^3 L^3)$, and $b^\top T^{-1} b$ is the sum of the squares of the
  solution $z$ of $C z = b$, which comes out along with it: the factor is used for all estimates at
  once and never stored;
* for a single reference $T$ is Toeplitz, and SciPy's Levinson recursion is faster still.

References:
    [4] A. Bojanczyk, R. Brent, F. de Hoog, D. Sweet, "On the stability of the Bareiss and related
    Toeplitz factorization algorithms", SIAM J. Matrix Anal. Appl. 16(1), 1995. Others are those of
    the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.fft
import scipy.linalg

_BLOCK = 4096  # samples of an FFT
_BATCH = 8  # systems solved at a time: they fit into the cache of a core
_LOAD = 1e-10  # added to a singular system's diagonal of ones

Cosines = tuple[np.ndarray, np.ndarray]


def square_cosines(pairs: Sequence[tuple[np.ndarray, np.ndarray]], length: int) -> list[Cosines]:
    """Squared cosines between estimates and the spans of shifted references.

    Args:
        pairs: estimates (E, T) and references (S, T) of each item, float64, none all zero.
        length: L, shifts of each reference, at most `_BLOCK` / 2.

    Returns:
        For each item those with each reference by itself (S, E), and with all of them (E,). They do
        not depend on what other items there are, to the last bit.
    """
    statistics = [_correlations(est, ref, length) for est, ref in pairs]
    found: dict[int, Cosines] = {}
    for indices in _batches([xcorr.shape for _, xcorr in statistics]):
        systems = [statistics[index] for index in indices]
        found |= zip(indices, _solve(systems), strict=True)
    return [found[index] for index in range(len(pairs))]


def _batches(shapes: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
    """Groups the indices of equal shapes."""
    for shape in dict.fromkeys(shapes):
        same = [index for index, other in enumerate(shapes) if other == shape]
        yield from (same[start : start + _BATCH] for start in range(0, len(same), _BATCH))


def _correlations(est: np.ndarray, ref: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of references with references (L, S, S) and with estimates (L, S, E).

    Entry (k, i, j) is the sum of x_i(t) y_j(t + k) over t, for signals of norm 1.
    """
    hop, count, samples = _BLOCK - length + 1, len(ref), ref.shape[-1]
    blocks = -(-samples // hop)
    padded = np.zeros((count + len(est), blocks * hop + length - 1))
    for signals, unit in ((ref, padded[:count, :samples]), (est, padded[count:, :samples])):
        np.divide(signals, np.linalg.norm(signals, axis=-1, keepdims=True), out=unit)
    first = padded[:count, : blocks * hop].reshape(count, blocks, hop)
    second = np.lib.stride_tricks.sliding_window_view(padded, _BLOCK, axis=1)[:, ::hop]
    spectra = scipy.fft.rfft(first, _BLOCK).conj(), scipy.fft.rfft(second)  # (…, blocks, F)
    products = np.einsum("ibf,jbf->ijf", *spectra)
    lags = np.moveaxis(scipy.fft.irfft(products)[..., :length], -1, 0)
    return lags[..., :count], lags[..., count:]


def _solve(systems: list[tuple[np.ndarray, np.ndarray]]) -> list[Cosines]:
    """Solves systems of the same shape."""
    acf, xcorr = (np.stack(parts) for parts in zip(*systems, strict=True))
    try:
        together = _explained(acf, xcorr)
    except np.linalg.LinAlgError:
        if len(systems) == 1:
            return [_solve_dense(*systems[0])]
        return [_solve([system])[0] for system in systems]
    if acf.shape[-1] == 1:
        return [(one[None], one) for one in together]
    alone = [
        np.stack([_levinson(acf[:, i, i], xcorr[:, i]) for i in range(acf.shape[-1])])
        for acf, xcorr in systems
    ]
    return list(zip(alone, together, strict=True))


def _levinson(acf: np.ndarray, xcorr: np.ndarray) -> np.ndarray:
    return (xcorr * scipy.linalg.solve_toeplitz(acf, xcorr)).sum(0)


def _explained(acf: np.ndarray, xcorr: np.ndarray) -> np.ndarray:
    """Gives b' T^-1 b of positive definite block Toeplitz systems, by Schur's algorithm.

    Args:
        acf: (B, L, S, S), the first block columns of T.
        xcorr: (B, L, S, E), E right-hand sides b.

    Returns:
        (B, E).

    Raises:
        LinAlgError: when a system is not positive definite, as far as rounding lets tell.
    """
    size, identity = acf.shape[-1], np.eye(acf.shape[-1])
    rhs = xcorr.reshape(len(acf), -1, xcorr.shape[-1]).swapaxes(1, 2)  # (B, E, L·S)
    # T less T shifted by a block is U U' - V V'; rows of `upper` and `lower` are columns of U, V.
    column = acf.reshape(len(acf), -1, size).swapaxes(1, 2)  # (B, S, L·S)
    upper = np.linalg.inv(np.linalg.cholesky(acf[:, 0])) @ column
    lower, total = upper[..., size:], 0.0
    while True:
        # The rows of U are a block column of the Cholesky factor, their first block P its diagonal.
        inverse = np.linalg.inv(upper[..., :size]).swapaxes(1, 2)  # of P
        solved = inverse @ rhs[..., :size].swapaxes(1, 2)  # (B, S, E)
        total = total + np.square(solved).sum(1)
        if rhs.shape[-1] == size:
            return total
        rhs = rhs[..., size:] - solved.swapaxes(1, 2) @ upper[..., size:]
        # U moves down by a block; a hyperbolic rotation takes away the first block of V.
        upper = upper[..., :-size]
        turn = inverse @ lower[..., :size].swapaxes(1, 2)  # (B, S, S)
        back = turn.swapaxes(1, 2)
        gram = np.stack([identity - turn @ back, identity - back @ turn])
        scale = np.linalg.cholesky(gram)
        inverses = np.linalg.inv(scale)
        upper = inverses[0] @ (upper - turn @ lower)
        # From the new U and the old V, not from the old U: so rounding errors do not grow.
        lower = scale[1].swapaxes(1, 2) @ lower - (inverses[1] @ back @ scale[0]) @ upper
        lower = lower[..., size:]


def _solve_dense(acf: np.ndarray, xcorr: np.ndarray) -> Cosines:
    """Solves a system that is hardly positive definite, as of tones and of equal references."""
    places = range(acf.shape[-1])
    matrix = [[scipy.linalg.toeplitz(acf[:, i, j], acf[:, j, i]) for j in places] for i in places]
    alone = np.stack([_gauss(matrix[i][i], xcorr[:, i]) for i in places])
    return alone, _gauss(np.block(matrix), np.concatenate([xcorr[:, i] for i in places]))


def _gauss(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    try:
        solution = np.linalg.solve(matrix, rhs)
    except np.linalg.LinAlgError:
        # Dependent references (a sound beside itself) have no unique filters, yet one projection.
        solution = np.linalg.solve(matrix + _LOAD * np.eye(len(matrix)), rhs)
    return (rhs * solution).sum(0)
