"""Everyday sound events by name: 36 classes of VGGSound, synthesised, no two alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import events_animals as animals
from . import events_nature as nature
from . import events_soundfont as soundfont
from . import events_things as things
from .events_dsp import Audio, Synth, finish

EVENTS: dict[str, Callable[[Synth], Audio]] = {
    "alarm clock ringing": things.alarm_clock,
    "ambulance siren": things.ambulance_siren,
    "baby crying": animals.baby_crying,
    "bee, wasp, etc. buzzing": animals.bee_buzzing,
    "bird chirping, tweeting": animals.bird_chirping,
    "car engine idling": things.car_engine,
    "cat meowing": animals.cat_meowing,
    "chicken crowing": animals.chicken_crowing,
    "church bell ringing": things.church_bell,
    "cricket chirping": animals.cricket_chirping,
    "crow cawing": animals.crow_cawing,
    "dog barking": animals.dog_barking,
    "fire crackling": nature.fire_crackling,
    "footsteps on snow": things.snow_steps,
    "frog croaking": animals.frog_croaking,
    "hammering nails": things.hammering,
    "helicopter": soundfont.helicopter,
    "horse clip-clop": things.horse_steps,
    "lawn mowing": things.lawn_mowing,
    "machine gun shooting": soundfont.machine_gun,
    "owl hooting": animals.owl_hooting,
    "people clapping": soundfont.people_clapping,
    "people whistling": animals.people_whistling,
    "playing drum kit": soundfont.drum_kit,
    "raining": nature.raining,
    "reversing beeps": things.reversing_beeps,
    "sea waves": soundfont.sea_waves,
    "sheep bleating": animals.sheep_bleating,
    "stream burbling": nature.stream_burbling,
    "telephone bell ringing": soundfont.telephone_bell,
    "thunder": nature.thunder,
    "toilet flushing": nature.toilet_flushing,
    "typing on computer keyboard": things.typing,
    "vacuum cleaner cleaning floors": things.vacuum_cleaner,
    "vehicle horn, car horn, honking": things.car_horn,
    "wind noise": nature.wind_noise,
}
LABELS = tuple(EVENTS)


def render_event(
    label: str,
    seconds: float,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    background: bool = True,
) -> NDArray[np.float32]:
    """Renders one sound event.

    Args:
        label: one of `LABELS`.
        seconds: how long.
        sample_rate: in hertz, 8000 or more.
        rng: the source of all choices.
        background: whether there is a faint noise of the place.

    Returns:
        (T,) within ±1.

    Raises:
        ValueError: for a label that the miniature does not have, or a length that is none.

    Examples:
        >>> render_event("dog barking", 2.0, 8000, np.random.default_rng(0)).shape
        (16000,)
    """
    if label not in EVENTS:
        raise ValueError(f"Expected a label of {'; '.join(LABELS)}, received {label!r}.")
    if seconds <= 0:
        raise ValueError(f"Expected a length above 0 seconds, received {seconds}.")
    synth = Synth(seconds, sample_rate, rng)
    return finish(synth, EVENTS[label](synth), background=background)
