"""What BSS-eval of test items costs, beside mir_eval's `bss_eval_sources`.

Items of two coloured sounds in noise and estimates that leak, distort and add noise, 8 s long. Both
get the same pairs, mir_eval without its search over permutations, and must agree to 0.01 dB. CPU
times are of one thread, in turns; with `--items`, so many are scored in processes, too.

    python benchmarks/scores.py
    python benchmarks/scores.py --items 1000 --workers 2 --rates 16000
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from mir_eval.separation import bss_eval_sources
from paired import medians
from scipy.signal import lfilter

from asteroid_bimodal.metrics import bss_eval, bss_evals

BATCH, SECONDS = 8, 8.0
Pair = tuple[np.ndarray, np.ndarray]


def make_item(seed: int, rate: int, n_src: int = 2) -> Pair:
    """Estimates and references, (S, T) each."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, n_src, round(SECONDS * rate)))
    angles, radius = rng.uniform(0.05, 1.0, n_src), 0.98
    ref = np.stack(
        [
            lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], row)
            for angle, row in zip(angles, noise[0], strict=True)
        ]
    )
    ref /= np.abs(ref).max(-1, keepdims=True)
    est = lfilter([1, 0.3, -0.1], [1], ref) + rng.uniform(0.05, 0.5) * ref[::-1]
    return est + 0.01 * noise[1], ref


def by_mir_eval(pairs: list[Pair]) -> list[tuple[np.ndarray, ...]]:
    """SDR, SIR and SAR of each item."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the function is deprecated
        return [bss_eval_sources(ref, est, compute_permutation=False)[:3] for est, ref in pairs]


def largest_difference(pairs: list[Pair]) -> float:
    """Between the two, in dB."""
    return max(
        float(np.abs(found[name] - value).max())
        for found, expected in zip(bss_evals(pairs), by_mir_eval(pairs), strict=True)
        for name, value in zip(("sdr", "sir", "sar"), expected, strict=True)
    )


def short() -> dict[str, float]:
    """Time of ours over mir_eval's, for `benchmarks.check`."""
    pairs = [make_item(seed, 8000) for seed in range(BATCH)]
    works = {"mir_eval": lambda: by_mir_eval(pairs[:2]), "ours": lambda: bss_evals(pairs)}
    seconds = medians(works, rounds=3)
    return {"BSS-eval, mir_eval = 1": seconds["ours"] / BATCH / (seconds["mir_eval"] / 2)}


def score_many(count: int, workers: int, rate: int) -> None:
    """Scores items in processes and prints what that takes."""
    made = [make_item(seed, rate) for seed in range(4 * BATCH)]
    pairs = [made[number % len(made)] for number in range(count)]
    batches = [pairs[start : start + BATCH] for start in range(0, count, BATCH)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        found = [scores for rows in pool.map(bss_evals, batches) for scores in rows]
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(found) == count
    user = after.ru_utime - before.ru_utime
    print(f"{count} items at {rate} Hz in {workers} processes: {wall:.1f} s, {user:.1f} s of user")


def main() -> None:
    """Prints a row for each sample rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=int, nargs="+", default=[8000, 16000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--items", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    print(
        "| rate | mir_eval, ms | one by one, ms | in batches, ms | times faster | difference, dB |"
    )
    print("|-:|-:|-:|-:|-:|-:|")
    for rate in args.rates:
        pairs = [make_item(seed, rate) for seed in range(BATCH)]
        works = {
            "mir_eval": lambda pairs=pairs: by_mir_eval(pairs[:4]),
            "one": lambda pairs=pairs: [bss_eval(*pair) for pair in pairs[:4]],
            "batch": lambda pairs=pairs: bss_evals(pairs),
        }
        seconds = medians(works, args.rounds)
        theirs, alone, ours = seconds["mir_eval"] / 4, seconds["one"] / 4, seconds["batch"] / BATCH
        difference = largest_difference(pairs)
        figures = [1000 * theirs, 1000 * alone, 1000 * ours, theirs / ours]
        print(f"| {rate} | {' | '.join(f'{x:.1f}' for x in figures)} | {difference:.1e} |")
        assert difference < 0.01
        if args.items:
            score_many(args.items, args.workers, rate)


if __name__ == "__main__":
    main()
