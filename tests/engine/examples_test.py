import numpy as np
import pytest

from asteroid_bimodal.engine.examples import load_examples, save_examples
from asteroid_bimodal.report import Example


def example(name: str, sources: int = 2) -> Example:
    rng = np.random.default_rng(sources)
    references = rng.uniform(-1, 1, (sources, 800)).astype(np.float32)
    return Example(
        name=name,
        sample_rate=8000,
        mixture=references.sum(0),  # passes ±1
        references=references,
        estimates=references * 0.5,
        phrases=[f"a flûte {k}" for k in range(sources)],
        metrics=[{"item": 0, "sdr": 1.5, "silent_reference": False} for _ in range(sources)],
    )


def test_round_trip(tmp_path):
    written = [example("item_000"), example("item_007", sources=3)]
    save_examples(written, tmp_path / "examples")
    for before, after in zip(written, load_examples(tmp_path / "examples"), strict=True):
        assert (after.name, after.sample_rate) == (before.name, 8000)
        assert (after.phrases, after.metrics) == (before.phrases, before.metrics)
        for name in ("mixture", "references", "estimates"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_earlier_examples_are_replaced(tmp_path):
    save_examples([example("item_000"), example("item_001")], tmp_path / "examples")
    save_examples([example("item_002")], tmp_path / "examples")
    assert [e.name for e in load_examples(tmp_path / "examples")] == ["item_002"]


@pytest.mark.parametrize("make", [True, False])
def test_no_examples(tmp_path, make):
    if make:
        save_examples([], tmp_path / "examples")
    assert load_examples(tmp_path / "examples") == []
