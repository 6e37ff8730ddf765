"""The miniature VGGSound: everyday sounds of 36 of its classes, synthesised on the spot.

Same folder layout and manifests as the full set:

    <root>/audio/<id>.wav               mono, 16 bit
    <root>/{train,valid,test}.csv       manifests, paths relative to <root>

Everything follows from the seed: a clip's pitch, rate, timbre, room, equaliser, level and
background come from a generator seeded by (seed, namespace, split, label, take), so that clips
never repeat between splits or namespaces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .events import LABELS, render_event
from .takes import Miniature, Take


def _sound(take: Take, sample_rate: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(take.numbers)
    return render_event(take.clip.label, take.clip.seconds, sample_rate, rng)


VGGSOUND = Miniature(
    kind="events",
    labels=LABELS,
    takes={"train": 24, "valid": 3, "test": 4},
    seconds=(10.0, 10.0),
    sound=_sound,
)
render = VGGSOUND.render
