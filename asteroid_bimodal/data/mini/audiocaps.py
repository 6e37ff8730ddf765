"""The miniature AudioCaps: scenes of one to four sound events, with natural English captions.

Same folder layout and manifests as the full set:

    <root>/audio/<id>.wav               mono, 16 bit
    <root>/{train,valid,test}.csv       manifests with captions, paths relative to <root>

Events sound together or one after the other, and the caption says which. Everything follows from
the seed, as in the miniature VGGSound; no scene holds a sound of that set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..manifest import Clip
from .events import LABELS, render_event
from .events_captions import write_caption
from .events_takes import (
    Take,
    check_takes,
    take_numbers,
    take_path,
    take_seconds,
    write_takes,
)

TAKES = {"train": 1600, "valid": 80, "test": 160}
COUNTS = (0.2, 0.4, 0.3, 0.1)  # how often a scene has one, two, three or four events
RELATIONS = {"together": 0.45, "behind": 0.15, "then": 0.4}


@dataclass(frozen=True)
class Event:
    """One event of a scene: what, when, how long (as shares of the scene) and how loud (in dB)."""

    label: str
    start: float
    length: float
    decibels: float


@dataclass(frozen=True)
class Scene:
    """Events in time, and the sentence that describes them."""

    events: tuple[Event, ...]
    caption: str


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draws a scene of distinct events.

    Args:
        rng: the source of all choices.

    Examples:
        >>> scene = draw_scene(np.random.default_rng(8))
        >>> [event.label for event in scene.events]
        ['wind noise', 'church bell ringing']
        >>> scene.caption
        'Wind blows loudly until a church bell tolls'
    """
    count = int(rng.choice(len(COUNTS), p=COUNTS)) + 1
    labels = [str(label) for label in rng.choice(LABELS, size=count, replace=False)]
    drawn = rng.choice(list(RELATIONS), p=list(RELATIONS.values()), size=count - 1)
    relations = [str(relation) for relation in drawn]
    steps = np.cumsum([0, *(relation == "then" for relation in relations)])
    shares = rng.uniform(0.7, 1.3, size=steps[-1] + 1)
    ends = np.cumsum(shares) / shares.sum()
    starts = np.concatenate([[0.0], ends[:-1]])
    events = []
    for label, step, relation in zip(labels, steps, ["first", *relations], strict=True):
        trim = rng.uniform(0, 0.15, size=2) * (ends[step] - starts[step])
        quieter = rng.uniform(4, 10) if relation == "behind" else 0.0
        length = float(ends[step] - starts[step] - trim.sum())
        start = float(starts[step] + trim[0])
        events.append(Event(label, start, length, float(rng.uniform(-4, 4) - quieter)))
    return Scene(tuple(events), write_caption(labels, relations, rng))


def render_scene(
    scene: Scene, seconds: float, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Renders a scene.

    Args:
        scene: what sounds.
        seconds: how long.
        sample_rate: in hertz.
        rng: the source of all choices.

    Returns:
        (T,) within ±1.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> render_scene(draw_scene(rng), 3.0, 8000, rng).shape
        (24000,)
    """
    size = round(seconds * sample_rate)
    audio = rng.standard_normal(size) * 10 ** (rng.uniform(-75, -60) / 20)
    for event in scene.events:
        part = render_event(event.label, event.length * seconds, sample_rate, rng, background=False)
        fade = np.minimum(1.0, np.arange(len(part), 0, -1) / (0.05 * sample_rate))
        start = min(round(event.start * size), size - len(part))
        audio[start : start + len(part)] += part * fade * 10 ** (event.decibels / 20)
    return (audio / max(1.0, np.abs(audio).max() / 0.98)).astype(np.float32)


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
        takes: clips in each split, by default 1600 train, 80 valid, 160 test.
        seconds: shortest and longest clip.
        sample_rate: of the files, in hertz.
        seed: another seed gives another set.
        namespace: another namespace gives clips that no other namespace has.
        num_workers: processes.

    Returns:
        The manifest of each split.

    Raises:
        ValueError: when the folder holds clips of another rate or length.
    """
    takes = check_takes(takes or TAKES)
    plan = []
    for split, count in takes.items():
        for index in range(count):
            numbers = take_numbers(seed, f"{namespace}/scenes/{split}/{index}")
            caption = draw_scene(np.random.default_rng((*numbers, 1))).caption
            path, length = take_path(split, index, numbers), take_seconds(seconds, numbers)
            plan.append(Take(Clip(path, "", caption, length, split), (*numbers, 1)))
    render_one = partial(_render, sample_rate=sample_rate)
    return write_takes(
        root, plan, list(takes), render_one, sample_rate=sample_rate, num_workers=num_workers
    )


def _render(take: Take, sample_rate: int) -> NDArray[np.float32]:
    scene = draw_scene(np.random.default_rng(take.numbers))
    rng = np.random.default_rng((*take.numbers[:-1], 2))
    return render_scene(scene, take.clip.seconds, sample_rate, rng)
