import numpy as np
import pytest
from scipy.stats import ttest_rel

from asteroid_bimodal.metrics import write_rows
from asteroid_bimodal.metrics.compare import compare_files, compare_rows


def rows(items, seed=0, shift=0.0):
    """Two sources of each item; an item's scores follow from its number and the seed."""
    return [
        {
            "item": item,
            "source": source,
            "label": f"label {item}",
            "phrase": "x",
            "sdr": shift + np.random.default_rng([seed, item, source]).normal(),
        }
        for item in items
        for source in range(2)
    ]


def test_on_the_common_items_alone():
    first, second = rows(range(8)), rows(range(3, 12), seed=1)
    result = compare_rows(first, second)
    assert (result.items, result.only_first, result.only_second) == (5, [0, 1, 2], [8, 9, 10, 11])
    means = [
        np.mean([row["sdr"] for row in table if 3 <= row["item"] < 8]) for table in (first, second)
    ]
    assert result.first["sdr"] == pytest.approx(means[0])
    assert result.second["sdr"] == pytest.approx(means[1])
    assert result.difference["sdr"] == pytest.approx(means[0] - means[1])
    assert result.first["n_items"] == 5


def test_the_interval_is_that_of_a_paired_t_test():
    first, second = rows(range(20), shift=0.3), rows(range(20), seed=1)
    per_item = [
        [np.mean([row["sdr"] for row in table[n : n + 2]]) for n in range(0, 40, 2)]
        for table in (first, second)
    ]
    expected = ttest_rel(*per_item).confidence_interval()
    found = compare_rows(first, second).difference["interval_95"]["sdr"]
    assert found == pytest.approx([expected.low, expected.high])


def test_the_order_of_rows_does_not_matter():
    first, second = rows(range(6)), rows(range(6), seed=1)
    expected = compare_rows(first, second).difference["sdr"]
    assert compare_rows(first[::-1], second).difference["sdr"] == pytest.approx(expected)


def test_files(tmp_path):
    write_rows(rows(range(4)), tmp_path / "a.csv")
    write_rows(rows(range(2, 6)), tmp_path / "b.csv")
    result = compare_files(tmp_path / "a.csv", tmp_path / "b.csv")
    assert result.items == 2 and result.difference["sdr"] == 0
    with pytest.raises(FileNotFoundError, match="c.csv, found none"):
        compare_files(tmp_path / "a.csv", tmp_path / "c.csv")


def test_other_lists_are_refused():
    other = [{**row, "label": "drum"} if row["item"] == 2 else row for row in rows(range(4))]
    with pytest.raises(ValueError, match="same list: the labels of item 2 differ"):
        compare_rows(rows(range(4)), other)
    with pytest.raises(ValueError, match="same list: their numbers of sources differ"):
        compare_rows(rows(range(4)), rows(range(4))[::2])
    with pytest.raises(ValueError, match="no common item"):
        compare_rows(rows(range(4)), rows(range(4, 6)))
    with pytest.raises(ValueError, match="missing: item, source, label"):
        compare_rows([], rows(range(4)))
