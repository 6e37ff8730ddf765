"""Ratios with their intervals, and the order of systems, of known figures."""

from __future__ import annotations

import numpy as np
import pytest
from grid import paper
from grid.cells import SYSTEMS, Cell, Group
from grid.claims import bootstrap_ratio, find_agreements, find_claims
from scipy.stats import bootstrap, spearmanr


def group_of(system, n_src, sdr, si_sdr_imp=None, items=()):
    """A group of one cell for each list of values by item, all of one mean."""
    summary = {"sdr": sdr, "si_sdr_imp": si_sdr_imp, "interval_95": {}}
    columns = [{"sdr": dict(enumerate(values))} for values in items] or [{}]
    return Group(
        [Cell("", system, n_src, k, summary=summary, items=i) for k, i in enumerate(columns)]
    )


def test_the_papers_ratios():
    """71 % above CLIPSep-Text, 97.5 % of supervised."""
    figures = (("clipsep_text", 2, 4.6), ("clapsep", 1, 8.1), ("bimodal_clap", 2, 7.9))
    over_baseline, over_supervised = find_claims([group_of(*figure) for figure in figures])
    assert over_baseline.sdr.value == over_baseline.paper == pytest.approx(1.717, abs=1e-3)
    assert over_supervised.sdr.value == over_supervised.paper == pytest.approx(0.975, abs=1e-3)
    assert over_baseline.sdr.interval is None and over_baseline.si_sdr_imp is None


def test_ratios_of_si_sdr_improvement():
    scores = (("clapsep", 1, 6.0, 4.0), ("clapsep", 2, 4.0, -0.1), ("bimodal_clap", 2, 5.0, 3.0))
    over_baseline, over_supervised = find_claims([group_of(*score) for score in scores])
    assert over_baseline.si_sdr_imp is None  # the baseline improves nothing
    assert over_supervised.si_sdr_imp.value == pytest.approx(0.75)


def test_every_claim_has_the_papers_figures():
    for system, other, supervised in paper.CLAIMS:
        assert paper.sdr(system, 2) and paper.sdr(other, 1 if supervised else 2)
    assert set(paper.SDR) <= set(SYSTEMS)
    assert paper.sdr("clapsep", 4) == 3.5 and paper.sdr("audiosep", 2) is None


def test_interval_over_items_is_that_of_a_paired_bootstrap():
    rng = np.random.default_rng(1)
    below = rng.normal(4.0, 2.0, 60)
    above = below + rng.normal(2.0, 1.0, 60)
    found = bootstrap_ratio(above[None], below[None])

    def ratio(a, b, axis):
        return a.mean(axis) / b.mean(axis)

    oracle = bootstrap(
        (above, below), ratio, paired=True, n_resamples=20_000, method="percentile", rng=rng
    ).confidence_interval
    assert found == pytest.approx(tuple(oracle), abs=0.02)


def test_interval_over_seeds():
    """Items that are all alike leave the seeds: of two, both draws are one seed in a quarter."""
    above = np.repeat([[4.0], [6.0]], 50, axis=1)
    assert bootstrap_ratio(above, np.full((1, 50), 2.0)) == (2.0, 3.0)
    assert bootstrap_ratio(above[:1], np.full((1, 50), 2.0)) == (2.0, 2.0)
    assert bootstrap_ratio(above[:, :1], np.full((1, 1), 2.0)) is None


def test_a_divisor_that_may_be_nothing_leaves_the_ratio_open_above():
    below = np.array([[3.0, -2.0, 1.0, -1.0]])
    low, high = bootstrap_ratio(np.full((1, 4), 2.0), below)
    assert low > 0 and high == np.inf


def test_claims_compare_the_items_that_all_cells_could_score():
    above = group_of("bimodal_clap", 2, 6.0, items=([6.0, 6.0, 6.0], [6.0, 6.0]))
    below = group_of("clapsep", 2, 3.0, items=([3.0, 3.0, 99.0],))
    (claim,) = find_claims([above, below])
    assert (claim.sdr.value, claim.sdr.interval) == (2.0, (2.0, 2.0))


def test_order_of_systems():
    figures = {"mixit": 1.0, "clapsep": 3.0, "bimodal_clap": 9.0, "own": 5.0}
    (agreement,) = find_agreements([group_of(key, 2, sdr) for key, sdr in figures.items()])
    assert (agreement.n_src, agreement.systems, agreement.sdr.value) == (2, 3, 1.0)
    turned = {"mixit": 9.0, "clapsep": 3.0, "bimodal_clap": 1.0}
    (agreement,) = find_agreements([group_of(key, 2, sdr) for key, sdr in turned.items()])
    assert agreement.sdr.value == -1.0
    assert find_agreements([group_of("mixit", 2, 1.0), group_of("clapsep", 2, 2.0)]) == []
    assert find_agreements([group_of(key, 2, 1.0) for key in figures]) == []  # in no order


def test_interval_of_the_order_is_that_of_a_bootstrap():
    """With scipy's correlation on every draw of items; systems two and three are often swapped."""
    rng = np.random.default_rng(2)
    systems = ("mixit", "clipsep_img", "clapsep", "bimodal_clap")  # in the paper's order
    values = rng.normal([[1.0], [3.0], [3.2], [6.0]], 1.5, (4, 30))
    groups = [
        group_of(system, 2, row.mean(), items=[row])
        for system, row in zip(systems, values, strict=True)
    ]
    agreement, without_mixit = find_agreements(groups)
    draws = rng.choice(30, (4000, 30))
    oracle = [spearmanr(values[:, draw].mean(1), range(4)).statistic for draw in draws]
    assert agreement.sdr.interval == pytest.approx(tuple(np.percentile(oracle, [2.5, 97.5])))
    assert agreement.si_sdr_imp is None
    oracle = [spearmanr(values[1:, draw].mean(1), range(3)).statistic for draw in draws]
    interval = tuple(np.percentile(oracle, [2.5, 97.5], method="inverted_cdf"))
    assert without_mixit.sdr.interval == pytest.approx(interval)


def test_order_of_those_with_queries():
    """The order of the others stands though that of systems without queries is turned round."""
    figures = {"mixit": 9.0, "mixpit": 8.0, "clipsep_img": 1.0, "clapsep": 2.0, "bimodal_clap": 3.0}
    groups = [group_of(key, 2, sdr) for key, sdr in figures.items()]
    all_five, asked = find_agreements(groups)
    assert (all_five.systems, all_five.queried) == (5, False)
    assert (asked.systems, asked.queried, asked.sdr.value) == (3, True, 1.0)
    (alone,) = find_agreements(groups[2:])
    assert (alone.systems, alone.queried) == (3, False)


def test_order_by_si_sdr_improvement():
    scores = (("mixit", 9.0, -1.0), ("clapsep", 3.0, 1.0), ("bimodal_clap", 5.0, 2.0))
    groups = [group_of(system, 2, sdr, si_sdr_imp) for system, sdr, si_sdr_imp in scores]
    (agreement,) = find_agreements(groups)
    assert agreement.sdr.value == -0.5 and agreement.si_sdr_imp.value == 1.0
    assert agreement.sdr.interval is None
