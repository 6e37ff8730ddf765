"""What the paper claims, measured: ratios with intervals, and whether systems come in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, spearmanr

from . import paper
from .cells import Group

_DRAWS = 10_000


@dataclass(frozen=True)
class Figure:
    """What was computed from several groups' means of a metric.

    Attributes:
        value: of the means.
        interval: 95 %, by bootstrap over items and seeds; None where items are not known.
    """

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Claim:
    """How many times another system's SDR, and improvement of SI-SDR, a system has.

    Attributes:
        system: key of the system.
        other: key of the other one.
        n_src: sources in the training mixtures of the system.
        other_n_src: sources in those of the other one; 1 is supervised.
        paper: ratio of SDR, the paper's, on the full data.
        sdr: ratio of SDR, measured.
        si_sdr_imp: ratio of improvements of SI-SDR, None where the other system has none.
    """

    system: str
    other: str
    n_src: int
    other_n_src: int
    paper: float
    sdr: Figure
    si_sdr_imp: Figure | None = None


def find_claims(groups: Sequence[Group]) -> list[Claim]:
    """Computes the ratios that the paper claims of SDR, where both cells exist.

    Args:
        groups: of `group_cells`; those with options of their own take no part.
    """
    found = {
        (group.first.system, group.first.n_src): group
        for group in groups
        if not group.first.options
    }
    claims = []
    for system, other, supervised in paper.CLAIMS:
        for n_src in (2, 3, 4):
            other_n_src = 1 if supervised else n_src
            pair = found.get((system, n_src)), found.get((other, other_n_src))
            above, below = paper.sdr(system, n_src), paper.sdr(other, other_n_src)
            if above and below and (ratio := _ratio(*pair, "sdr")):
                si_sdr_imp = _ratio(*pair, "si_sdr_imp")
                pair_of = (system, other, n_src, other_n_src)
                claims.append(Claim(*pair_of, above / below, ratio, si_sdr_imp))
    return claims


def _ratio(group: Group | None, other: Group | None, metric: str) -> Figure | None:
    """A metric's means over each other; nothing is a number of times what does not separate."""
    above, below = group and group.score(metric), other and other.score(metric)
    if not (above and below) or below.mean <= 0:
        return None
    values = _on_common_items([group, other], metric)
    return Figure(above.mean / below.mean, bootstrap_ratio(*values))


def _on_common_items(groups: Sequence[Group], metric: str) -> list[np.ndarray]:
    """Each group's values of a metric, (seeds, items), on the items that all cells could score."""
    columns = [[cell.items.get(metric, {}) for cell in group.cells] for group in groups]
    common = sorted(set.intersection(*(set(values) for side in columns for values in side)))
    return [np.array([[values[i] for i in common] for values in side]) for side in columns]


def bootstrap_ratio(above: np.ndarray, below: np.ndarray) -> tuple[float, float] | None:
    """Gives the 95 % interval of a ratio of means, over items and seeds.

    Each of 10 000 draws takes as many items as there are, with replacement and the same for both,
    and as many seeds of each. Where a draw's divisor is not positive, its ratio counts as infinite.

    Args:
        above: values of the one system.
        below: of the other, on the same items.

    Shape:
        - above: (seeds, items)
        - below: (other seeds, items)

    Returns:
        The 2.5th and 97.5th percentile; None with fewer than two items.

    Examples:
        >>> bootstrap_ratio(np.full((3, 10), 6.0), np.full((2, 10), 3.0))
        (2.0, 2.0)
    """
    means = _draw_means([above, below])
    if means is None:
        return None
    ratios = np.full(_DRAWS, np.inf)
    np.divide(means[0], means[1], out=ratios, where=means[1] > 0)
    return _interval(ratios)


def _draw_means(values: Sequence[np.ndarray]) -> np.ndarray | None:
    """Means of bootstrap draws, (systems, draws), of (seeds, items) each; None of one item."""
    num_items = values[0].shape[1]
    if num_items < 2:
        return None
    rng = np.random.default_rng(0)
    items = rng.multinomial(num_items, np.full(num_items, 1 / num_items), _DRAWS)
    means = []
    for one in values:
        seeds = rng.multinomial(len(one), np.full(len(one), 1 / len(one)), _DRAWS)
        means.append(np.einsum("ds,di,si->d", seeds, items, one, optimize=True) / one.size)
    return np.stack(means)


def _interval(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)


@dataclass(frozen=True)
class Agreement:
    """Whether systems come in the paper's order.

    Attributes:
        n_src: sources in each training mixture.
        systems: how many have a figure here and in the paper.
        queried: whether these are those alone that are asked by queries.
        sdr: Spearman's rank correlation of SDR with the paper's, from -1, the opposite order, to 1.
        si_sdr_imp: of improvement of SI-SDR with it, None where systems lack it or are all alike.
    """

    n_src: int
    systems: int
    queried: bool
    sdr: Figure
    si_sdr_imp: Figure | None = None


def find_agreements(groups: Sequence[Group]) -> list[Agreement]:
    """Compares each column of Table 1 with the paper's, where three systems or more have both.

    Args:
        groups: of `group_cells`; those with options of their own take no part. Of systems that are
            all alike there is no order.

    Returns:
        For each column one of all systems and, where some have no queries, one of the others.
    """
    agreements = []
    for n_src in (1, 2, 3, 4):
        column = [
            group
            for group in groups
            if group.first.n_src == n_src
            and not (group.first.options or group.first.semi_supervised)
            and group.score("sdr")
            and paper.sdr(group.first.system, n_src)
        ]
        asked = [group for group in column if group.first.system not in paper.WITHOUT_QUERIES]
        agreements.append(_agreement(column, n_src))
        if len(asked) < len(column):
            agreements.append(_agreement(asked, n_src, queried=True))
    return [agreement for agreement in agreements if agreement]


def _agreement(groups: Sequence[Group], n_src: int, queried: bool = False) -> Agreement | None:
    known = [paper.sdr(group.first.system, n_src) for group in groups]
    by_sdr = _correlation(groups, known, "sdr") if len(groups) >= 3 else None
    if by_sdr is None:
        return None
    by_si_sdr_imp = _correlation(groups, known, "si_sdr_imp")
    return Agreement(n_src, len(groups), queried, by_sdr, by_si_sdr_imp)


def _correlation(groups: Sequence[Group], known: Sequence, metric: str) -> Figure | None:
    scores = [group.score(metric) for group in groups]
    if None in scores or len({score.mean for score in scores}) == 1:
        return None
    value = float(spearmanr([score.mean for score in scores], known).statistic)
    means = _draw_means(_on_common_items(groups, metric))
    if means is None:
        return Figure(value)
    return Figure(value, _interval(_rank_correlations(means, known)))


def _rank_correlations(means: np.ndarray, known: Sequence) -> np.ndarray:
    """Spearman's correlation of each column of means with the known figures; 0 without an order."""
    ranks, others = (rankdata(values, axis=0) for values in (means, np.array(known)[:, None]))
    ranks, others = (values - values.mean(0) for values in (ranks, others))
    norm = np.linalg.norm(ranks, axis=0) * np.linalg.norm(others)
    return np.divide((ranks * others).sum(0), norm, out=np.zeros(len(norm)), where=norm > 0)
