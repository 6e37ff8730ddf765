"""The miniature AudioCaps: scenes of one to four sound events, with natural English captions.

Same folder layout and manifests as the full set:

    <root>/audio/<id>.wav               mono, 16 bit
    <root>/{train,valid,test}.csv       manifests with captions, paths relative to <root>

Events sound together or one after the other, and the caption says which. Everything follows from
the seed, as in the miniature VGGSound; no scene holds a sound of that set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .events import LABELS, render_event
from .events_captions import write_caption
from .takes import Miniature, Take

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


def _caption(numbers: tuple[int, int, int]) -> str:
    return draw_scene(np.random.default_rng(numbers)).caption


def _sound(take: Take, sample_rate: int) -> NDArray[np.float32]:
    scene = draw_scene(np.random.default_rng(take.numbers))
    rng = np.random.default_rng((*take.numbers[:-1], 2))
    return render_scene(scene, take.clip.seconds, sample_rate, rng)


AUDIOCAPS = Miniature(
    kind="scenes",
    labels=("",),
    takes={"train": 1600, "valid": 80, "test": 160},
    seconds=(10.0, 10.0),
    sound=_sound,
    caption=_caption,
)
render = AUDIOCAPS.render
