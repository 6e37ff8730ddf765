"""What the paper claims, measured: ratios with intervals, and whether systems come in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from . import paper
from .cells import Group

_DRAWS = 10_000


@dataclass(frozen=True)
class Ratio:
    """How many times another group's mean of a metric a group has.

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
    sdr: Ratio
    si_sdr_imp: Ratio | None = None


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


def _ratio(group: Group | None, other: Group | None, metric: str) -> Ratio | None:
    """A metric's means over each other; nothing is a number of times what does not separate."""
    above, below = group and group.score(metric), other and other.score(metric)
    if not (above and below) or below.mean <= 0:
        return None
    return Ratio(above.mean / below.mean, bootstrap_ratio(*_on_common_items(group, other, metric)))


def _on_common_items(group: Group, other: Group, metric: str) -> list[np.ndarray]:
    """Each group's values of a metric, (seeds, items), on the items that all cells could score."""
    columns = [[c.items.get(metric, {}) for c in side.cells] for side in (group, other)]
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
    num_items = above.shape[1]
    if num_items < 2:
        return None
    rng = np.random.default_rng(0)
    items = rng.multinomial(num_items, np.full(num_items, 1 / num_items), _DRAWS)
    means = []
    for values in (above, below):
        seeds = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), _DRAWS)
        means.append(np.einsum("ds,di,si->d", seeds, items, values, optimize=True) / values.size)
    ratios = np.full(_DRAWS, np.inf)
    np.divide(means[0], means[1], out=ratios, where=means[1] > 0)
    low, high = np.percentile(ratios, [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)


@dataclass(frozen=True)
class Agreement:
    """Whether systems come in the paper's order.

    Attributes:
        n_src: sources in each training mixture.
        systems: how many have a figure here and in the paper.
        correlation: Spearman's rank correlation of the two columns.
    """

    n_src: int
    systems: int
    correlation: float


def find_agreements(groups: Sequence[Group]) -> list[Agreement]:
    """Compares each column of Table 1 with the paper's, where three systems or more have both.

    Args:
        groups: of `group_cells`; those with options of their own take no part. Of systems that are
            all alike there is no order.
    """
    agreements = []
    for n_src in (1, 2, 3, 4):
        pairs = [
            (score.mean, known)
            for group in groups
            if group.first.n_src == n_src
            and not (group.first.options or group.first.semi_supervised)
            and (score := group.score("sdr"))
            and (known := paper.sdr(group.first.system, n_src))
        ]
        if len(pairs) >= 3 and len({mean for mean, _ in pairs}) > 1:
            here, there = zip(*pairs, strict=True)
            correlation = float(spearmanr(here, there).statistic)
            agreements.append(Agreement(n_src, len(pairs), correlation))
    return agreements
