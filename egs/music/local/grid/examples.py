"""The same test items through baseline and proposed framework, to look at and to listen to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asteroid_bimodal.engine.examples import load_examples
from asteroid_bimodal.metrics import write_json
from asteroid_bimodal.report import Example
from asteroid_bimodal.utils.files import atomic_write
from asteroid_bimodal.utils.mappings import read_mapping

from .cells import Group

BASELINE, PROPOSED = "clapsep", "bimodal_clap"
SIGNALS = ("mixture", "reference", "mix-and-separate", "proposed")
_PHRASES = "phrases.json"
_ITEMS = 3


@dataclass(frozen=True)
class Item:
    """One query of a test item.

    Attributes:
        name: of the item.
        phrase: the query.
        sample_rate: in Hz.
        signals: samples of the mixture, the reference and each system's estimate, by what they are.

    Shape:
        - signals: (T,) each
    """

    name: str
    phrase: str
    sample_rate: int
    signals: dict[str, np.ndarray]


def read_items(exp_dir: Path, groups: Sequence[Group]) -> list[Item]:
    """Reads the first items that baseline and proposed framework kept, the first query of each.

    Args:
        exp_dir: the grid's folder of experiments.
        groups: of `group_cells`; taken are those of mixtures of two sources, their first seeds.

    Returns:
        At most three items; none where one of the two systems is missing.
    """
    kept = {
        group.first.system: load_examples(exp_dir / group.first.folder / "examples")
        for group in groups
        if group.first.system in (BASELINE, PROPOSED)
        and group.first.n_src == 2
        and not group.first.options
    }
    others = {example.name: example for example in kept.get(PROPOSED, [])}
    items = []
    for example in kept.get(BASELINE, []):
        other = others.get(example.name)
        if other and _same(example, other) and len(items) < _ITEMS:
            estimates = example.estimates[0], other.estimates[0]
            signals = dict(
                zip(SIGNALS, (example.mixture, example.references[0], *estimates), strict=True)
            )
            items.append(Item(example.name, example.phrases[0], example.sample_rate, signals))
    return items


def _same(one: Example, other: Example) -> bool:
    """Whether two examples are of the same mixture and queries."""
    mixtures = one.mixture, other.mixture
    return (
        (one.phrases, one.sample_rate) == (other.phrases, other.sample_rate)
        and len({len(mixture) for mixture in mixtures}) == 1
        and np.allclose(*mixtures, atol=1e-4)
    )


def write_items(items: Sequence[Item], folder: Path) -> None:
    """Writes `<item>_<what>.flac` for every signal, those of an item with one gain, and phrases.

    Args:
        items: of `read_items`.
        folder: to write to.
    """
    for item in items:
        peak = max(np.abs(signal).max() for signal in item.signals.values()) or 1.0
        for name, signal in item.signals.items():
            with atomic_write(folder / f"{item.name}_{name}.flac") as temporary:
                soundfile.write(temporary, 0.9 / peak * signal, item.sample_rate, format="FLAC")
    write_json({item.name: item.phrase for item in items}, folder / _PHRASES)


def read_phrases(folder: Path) -> Mapping[str, str]:
    """Reads the phrase of each item that `write_items` has written; none without any."""
    return read_mapping(folder / _PHRASES) if (folder / _PHRASES).is_file() else {}
