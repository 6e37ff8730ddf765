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


@pytest.mark.parametrize(
    "file, content",
    [
        ("example.json", "{}"),
        ("example.json", "[1]"),
        ("example.json", "["),
        ("example.json", "[" * 100_000),
        ("example.json", '{"phrases": 3, "metrics": []}'),
        ("example.json", '{"phrases": [3, {}], "metrics": []}'),
        ("example.json", '{"phrases": ["a", "b"], "metrics": [1, 2]}'),
        ("example.json", '{"phrases": [], "metrics": []}'),
        ("mixture.wav", "no audio"),
        ("estimate_1.wav", ""),
        ("reference_0.wav", None),
    ],
)
def test_a_broken_example_is_left_out_with_a_warning(tmp_path, file, content):
    save_examples([example("item_000"), example("item_001")], tmp_path)
    (tmp_path / "item_000" / file).unlink()
    if content is not None:
        (tmp_path / "item_000" / file).write_text(content)
    with pytest.warns(UserWarning, match="item_000 is left out, since it is not whole") as caught:
        found = load_examples(tmp_path)
    assert [one.name for one in found] == ["item_001"] and len(caught) == 1
    assert "\n" not in str(caught[0].message)
