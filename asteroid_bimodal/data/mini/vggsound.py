"""The miniature VGGSound: everyday sounds of 36 of its classes, synthesised on the spot.

Same folder layout and manifests as the full set:

    <root>/audio/<id>.wav               mono, 16 bit
    <root>/{train,valid,test}.csv       manifests, paths relative to <root>

Everything follows from the seed: a clip's pitch, rate, timbre, room, equaliser, level and
background come from a generator seeded by (seed, namespace, split, label, take), so that clips
never repeat between splits or namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..manifest import Clip
from .events import LABELS, render_event
from .events_takes import (
    Take,
    check_takes,
    take_numbers,
    take_path,
    take_seconds,
    write_takes,
)

TAKES = {"train": 24, "valid": 3, "test": 4}


def render(
    root: str | Path,
    *,
    takes: Mapping[str, int] | None = None,
    seconds: tuple[float, float] = (10.0, 10.0),
    sample_rate: int = 8000,
    seed: int = 0,
    namespace: str = "separator",
    num_workers: int = 2,
) -> dict[str, Path]:
    """Renders the set, or what is missing of it, and writes its manifests.

    Args:
        root: folder of the set.
        takes: clips per label in each split, by default 24 train, 3 valid, 4 test.
        seconds: shortest and longest clip.
        sample_rate: of the files, in hertz.
        seed: another seed gives another set.
        namespace: another namespace gives clips that no other namespace has; the semantic scorer
            is trained in its own.
        num_workers: processes.

    Returns:
        The manifest of each split.

    Raises:
        ValueError: when the folder holds clips of another rate or length.
    """
    takes = check_takes(takes or TAKES)
    plan = _plan(takes, seconds, seed, namespace)
    render_one = partial(_render, sample_rate=sample_rate)
    return write_takes(
        root, plan, list(takes), render_one, sample_rate=sample_rate, num_workers=num_workers
    )


def _plan(
    takes: Mapping[str, int], seconds: tuple[float, float], seed: int, namespace: str
) -> list[Take]:
    plan = []
    for split, count in takes.items():
        for label in LABELS:
            for index in range(count):
                numbers = take_numbers(seed, f"{namespace}/events/{split}/{label}/{index}")
                path = take_path(split, index, numbers)
                length = take_seconds(seconds, numbers)
                plan.append(Take(Clip(path, label, "", length, split), (*numbers, 1)))
    return plan


def _render(take: Take, sample_rate: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(take.numbers)
    return render_event(take.clip.label, take.clip.seconds, sample_rate, rng)
