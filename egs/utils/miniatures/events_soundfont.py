"""Sound effects and percussion of the General MIDI soundfont, mixed with synthesis."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pretty_midi

from .events_dsp import Audio, Synth
from .events_nature import sea_waves as synthetic_waves
from .events_things import helicopter as synthetic_helicopter
from .events_things import telephone_bell as synthetic_telephone
from .soundfont import play_midi

SEASHORE, TELEPHONE, HELICOPTER, APPLAUSE, GUNSHOT = 122, 124, 125, 126, 127
KICKS, SNARES, TOMS, HATS, CYMBALS = (
    (35, 36),
    (38, 40),
    (41, 45, 48, 50),
    (42, 44, 46),
    (49, 51, 57),
)

Hit = tuple[float, float, int, int]  # start and length in seconds, MIDI pitch, velocity


def play(s: Synth, program: int, hits: Sequence[Hit], *, drums: bool = False) -> Audio:
    """Plays notes of one General MIDI program.

    Args:
        s: of the sound.
        program: number of the program, from 0.
        hits: the notes.
        drums: whether it is a drum kit, in which every pitch is another drum.
    """
    part = pretty_midi.Instrument(program=program, is_drum=drums)
    part.notes = [
        pretty_midi.Note(v, pitch, start, start + length) for start, length, pitch, v in hits
    ]
    part.pitch_bends = [] if drums else [pretty_midi.PitchBend(int(s.draw(-6000, 6000)), 0.0)]
    score, buffer = pretty_midi.PrettyMIDI(), io.BytesIO()
    score.instruments.append(part)
    score.write(buffer)
    wav = play_midi(buffer.getvalue(), s.rate)[: s.size].astype(np.float64)
    return np.pad(wav, (0, s.size - len(wav))) / max(np.abs(wav).max(), 1e-6)


def _held(s: Synth, program: int, low: int, high: int) -> Audio:
    """One long note, begun anew now and then."""
    pitch, start, hits = int(s.rng.integers(low, high + 1)), 0.0, []
    while start < s.seconds:
        length = s.draw(2.0, 5.0)
        hits.append((start, length + 0.5, pitch, int(s.rng.integers(80, 120))))
        start += length
    return play(s, program, hits)


def sea_waves(s: Synth) -> Audio:
    """The soundfont's seashore, or waves of our own."""
    return _held(s, SEASHORE, 50, 72) if s.chance(0.3) else synthetic_waves(s)


def telephone_bell(s: Synth) -> Audio:
    """The soundfont's telephone, or a bell of our own."""
    if s.chance(0.6):
        return synthetic_telephone(s)
    on, pitch = s.draw(1.0, 2.0), int(s.rng.integers(60, 84))
    starts = np.arange(s.draw(0, 0.5), s.seconds, on + s.draw(0.4, 1.2))
    return play(s, TELEPHONE, [(float(start), on, pitch, 110) for start in starts])


def helicopter(s: Synth) -> Audio:
    """The soundfont's helicopter, or one of our own."""
    return _held(s, HELICOPTER, 48, 68) if s.chance(0.4) else synthetic_helicopter(s)


def people_clapping(s: Synth) -> Audio:
    """Hands of a few people or of many; now and then the soundfont's audience."""
    if s.chance(0.3):
        return _held(s, APPLAUSE, 52, 70)
    people = int(s.hertz(2, 22))
    hands = [(s.hertz(900, 2200), s.draw(0.015, 0.04)) for _ in range(people)]

    def clapper(hollow: float, decay: float) -> Audio:
        times = s.times(s.draw(2.5, 5.0), 0.12)
        return s.scatter(times, lambda: s.band(s.click(decay), 0.55 * hollow, 1.6 * hollow))

    return sum(s.draw(0.3, 1.0) * clapper(*pair) for pair in hands)


def machine_gun(s: Synth) -> Audio:
    """Bursts of shots: the soundfont's, or cracks with a low report."""
    times = s.bouts(s.draw(6, 13), (3, 12), (0.3, 1.2))
    if s.chance(0.4):
        pitch = int(s.rng.integers(52, 76))
        return play(
            s, GUNSHOT, [(time, 0.4, pitch, int(s.rng.integers(95, 127))) for time in times]
        )
    body = s.hertz(110, 240)

    def shot() -> Audio:
        crack = s.band(s.click(s.draw(0.05, 0.15), 0.5), 150, 3600)
        report = s.modes([body, 1.8 * body], [0.12, 0.08], [0.8, 0.5])
        crack = np.pad(crack, (0, max(0, len(report) - len(crack))))
        crack[: len(report)] += report
        return crack * s.draw(0.8, 1.0)

    return s.scatter(times, shot)


def drum_kit(s: Synth) -> Audio:
    """A beat on one of the soundfont's drum kits, with fills."""
    kit, step = s.pick(0, 8, 16, 24, 25, 32, 40), 60 / s.draw(75, 165) / 4
    kick, snare = s.pick(*KICKS), s.pick(*SNARES)
    beat, ride = s.rng.random(16), s.pick(*HATS, CYMBALS[1])
    every, hits = s.pick(1, 2, 2, 4), []
    for index in range(int(s.seconds / step)):
        place, time = index % 16, index * step
        fill = index // 16 % 4 == 3 and place >= 12
        drums = [s.pick(*TOMS, snare)] if fill else []
        drums += [kick] * (place in (0, 8) or bool(beat[place] > 0.85))
        drums += [snare] * (place in (4, 12) or bool(beat[place] < 0.06))
        drums += [ride] * (place % every == 0 and not fill)
        drums += [CYMBALS[0]] * (place == 0 and s.chance(0.2))
        hits += [(time, 0.2, drum, int(s.rng.integers(70, 120))) for drum in drums]
    return play(s, kit, hits, drums=True)
