"""BSS-eval and SI-SDR of waveforms; silent signals and limits are defined in the package's text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from .projection import Cosines, square_cosines

FILTER_LENGTH = 512
LIMIT_DB = 80.0
SILENCE_PEAK = 1e-6
SILENT_ESTIMATE_DB = -30.0


def bss_eval(est: ArrayLike, ref: ArrayLike) -> dict[str, np.ndarray]:
    """Computes SDR, SIR and SAR of BSS-eval v3, estimate s against reference s, in float64.

    Args:
        est: estimates, a tensor or array (S, T) of any precision, T at least 512 * S samples.
        ref: references (S, T), in the order of the estimates.

    Returns:
        `sdr`, `sir` and `sar` in dB, an array of S numbers each. See the module's text for
        silent signals and limits.

    Raises:
        ValueError: on shapes that differ, too few samples, NaN or infinite samples.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> ref = rng.standard_normal((2, 4000))
        >>> scores = bss_eval(ref + 0.1 * ref[::-1], ref)
        >>> {name: value.round(1).tolist() for name, value in scores.items()}
        {'sdr': [20.5, 20.6], 'sir': [20.5, 20.6], 'sar': [80.0, 80.0]}
    """
    return bss_evals([(est, ref)])[0]


def bss_evals(pairs: Iterable[tuple[ArrayLike, ArrayLike]]) -> list[dict[str, np.ndarray]]:
    """Computes `bss_eval` of several items: the same numbers in half the time and less.

    Args:
        pairs: estimates and references of each item.

    Returns:
        The scores of each item.

    Examples:
        >>> refs = np.random.default_rng(0).standard_normal((3, 2, 4000))
        >>> [scores["sdr"].round(3).tolist() for scores in bss_evals((ref, ref) for ref in refs)][2]
        [80.0, 80.0]
    """
    checked = [checked_pair(est, ref) for est, ref in pairs]
    return [
        {name: np.diagonal(value).copy() for name, value in scores.items()}
        for scores in pairwise_bss_evals(checked)
    ]


def si_sdr(est: ArrayLike, ref: ArrayLike) -> np.ndarray:
    """Computes the scale-invariant SDR in dB [3] of the signals less their means, as Asteroid does.

    Args:
        est: estimates, a tensor or array (S, T) of any precision.
        ref: references (S, T), in the order of the estimates.

    Returns:
        An array of S numbers.

    Examples:
        >>> si_sdr([[1.0, -1.0, 1.0, -1.0]], [[1.0, -1.0, 0.0, 0.0]]).round(6).tolist()
        [0.0]
    """
    first, second = (x - x.mean(-1, keepdims=True) for x in checked_pair(est, ref))
    silent_ref = is_silent(second)
    audible = ~(silent_ref | is_silent(first))
    values = np.where(silent_ref, np.nan, SILENT_ESTIMATE_DB)
    first, second = _peak_normalised(first[audible]), _peak_normalised(second[audible])
    energies = np.square(first).sum(-1) * np.square(second).sum(-1)
    values[audible] = _decibels((first * second).sum(-1) ** 2 / energies)
    return values


def match_outputs(est: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
    """Picks an output for each reference, (S, T), so that their SDRs add up to the most.

    For separators whose outputs have no order. There may be more outputs than references.

    Args:
        est: outputs, (E, T).
        ref: references, (S, T), at most E of them.

    Raises:
        ValueError: for fewer outputs than references, and as `bss_eval`.

    Examples:
        >>> ref = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))
        >>> est = torch.stack([torch.zeros(4000), 0.5 * ref[1], ref[0]])
        >>> torch.equal(match_outputs(est, ref), est[[2, 1]])
        True
    """
    if len(est) < len(ref):
        raise ValueError(
            f"Expected an output for each of {len(ref)} references, received {len(est)}. Test with "
            "fewer sources, or train a separator of more outputs."
        )
    outputs, references = checked_pair(est, ref, any_number=True)
    sdr = np.nan_to_num(pairwise_bss_eval(outputs, references)["sdr"])  # (S, E)
    _, picked = linear_sum_assignment(sdr, maximize=True)
    return est[picked]


def pairwise_bss_eval(est: np.ndarray, ref: np.ndarray) -> dict[str, np.ndarray]:
    """The scores (S, E) of all estimates (E, T) for all references (S, T)."""
    return pairwise_bss_evals([(est, ref)])[0]


def pairwise_bss_evals(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
) -> list[dict[str, np.ndarray]]:
    """As `pairwise_bss_eval`, of several items, which takes less time than one by one."""
    for est, ref in pairs:
        if est.shape[-1] < FILTER_LENGTH * len(ref):
            raise ValueError(
                f"Expected at least {FILTER_LENGTH} samples per source for {FILTER_LENGTH}-tap "
                f"filters ({FILTER_LENGTH * len(ref)} for {len(ref)}), received {est.shape[-1]}: "
                "use longer clips or `si_sdr`."
            )
    heard = [(~is_silent(est), ~is_silent(ref)) for est, ref in pairs]
    audible = [
        (est[heard_est], ref[heard_ref])
        for (est, ref), (heard_est, heard_ref) in zip(pairs, heard, strict=True)
        if heard_est.any() and heard_ref.any()
    ]
    cosines = iter(square_cosines(audible, FILTER_LENGTH))
    return [_scores(heard_est, heard_ref, cosines) for heard_est, heard_ref in heard]


def _scores(
    heard_est: np.ndarray, heard_ref: np.ndarray, cosines: Iterator[Cosines]
) -> dict[str, np.ndarray]:
    """The scores of an item, of which the next cosines are if anything is heard."""
    names, shape = ("sdr", "sir", "sar"), (len(heard_ref), len(heard_est))
    scores = {name: np.full(shape, SILENT_ESTIMATE_DB) for name in names}
    if heard_est.any() and heard_ref.any():
        alone, together = next(cosines)
        sar = np.broadcast_to(together, alone.shape)
        for name, cosine in zip(names, (alone, alone / sar, sar), strict=True):
            scores[name][np.ix_(heard_ref, heard_est)] = _decibels(cosine)
    for value in scores.values():
        value[~heard_ref] = np.nan
    if heard_ref.sum() < 2:
        scores["sir"][:] = np.nan
    return scores


def as_array(signal: ArrayLike) -> np.ndarray:
    """Gives a tensor, array or list as a float64 array."""
    if isinstance(signal, torch.Tensor):
        signal = signal.detach().cpu().double().numpy()  # NumPy has no bfloat16
    return np.asarray(signal, dtype=np.float64)


def checked_pair(
    est: ArrayLike, ref: ArrayLike, *, any_number: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Gives two float64 arrays of one shape (S, T), all finite; a ValueError otherwise.

    With `any_number` there may be more estimates, or fewer.
    """
    est, ref = as_array(est), as_array(ref)
    axes = slice(1 if any_number else 0, 2)
    shapes_fit = est.ndim == ref.ndim == 2 and est.shape[axes] == ref.shape[axes]
    if not shapes_fit or 0 in (est.size, ref.size):
        raise ValueError(
            "Expected estimates and references of one shape (sources, samples), received "
            f"{est.shape} and {ref.shape}: pad or cut the signals to the same length."
        )
    if not (np.isfinite(est).all() and np.isfinite(ref).all()):
        raise ValueError(
            "Expected finite samples, received NaN or infinite ones: skip the item with a reason."
        )
    return est, ref


def is_silent(signals: np.ndarray) -> np.ndarray:
    """Tells which of the signals (..., T) never exceed `SILENCE_PEAK`."""
    return np.abs(signals).max(axis=-1) < SILENCE_PEAK


def _peak_normalised(signals: np.ndarray) -> np.ndarray:
    return signals / np.abs(signals).max(axis=-1, keepdims=True)


def _decibels(square_cosine: np.ndarray) -> np.ndarray:
    margin = 1 / (1 + 10 ** (LIMIT_DB / 10))
    square_cosine = np.clip(square_cosine, margin, 1 - margin)
    return 10 * np.log10(square_cosine / (1 - square_cosine))
