"""Solo performances as MIDI: random melodies that suit each instrument of the miniature MUSIC."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pretty_midi

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))
RHYTHMS = (
    (1.0, 1.0, 1.0, 1.0),
    (0.5, 0.5, 1.0, 0.5, 0.5, 1.0),
    (1.5, 0.5, 1.0, 1.0),
    (0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 1.0, 1.0),
    (2.0, 1.0, 1.0),
    (3.0, 1.0),
    (1 / 3, 1 / 3, 1 / 3, 1.0, 2 / 3, 1 / 3, 1.0),
)
BEND_RANGE = 2.0  # semitones at full pitch bend, the General MIDI default
BEND_FULL = 8191


@dataclass(frozen=True)
class Instrument:
    """How an instrument is played: General MIDI programs, range and habits.

    Attributes:
        programs: General MIDI program numbers (from 0), one drawn per take.
        low: lowest MIDI pitch.
        high: highest MIDI pitch.
        sustained: bowed or blown: swells and vibrato.
        chords: probability that a note is a chord.
        slide: probability that a note is reached by a slide.
        resonances: of the body, as (hertz, decibels): bumps of a third of an octave's width.
    """

    programs: tuple[int, ...]
    low: int
    high: int
    sustained: bool = True
    chords: float = 0.0
    slide: float = 0.0
    resonances: tuple[tuple[float, float], ...] = ()


INSTRUMENTS: dict[str, Instrument] = {
    "accordion": Instrument((21,), 53, 86, chords=0.5),
    "acoustic guitar": Instrument((24, 25), 40, 79, sustained=False, chords=0.35),
    "cello": Instrument((42,), 36, 67, chords=0.08),
    "clarinet": Instrument((71,), 50, 86),
    # General MIDI has no erhu: its fiddle, with slides, deep vibrato and the nasal resonances of a
    # small body covered with skin, stands for it.
    "erhu": Instrument((110,), 62, 88, slide=0.5, resonances=((450, -9), (1100, 12), (2600, 8))),
    "flute": Instrument((73,), 60, 93),
    "saxophone": Instrument((64, 65, 66), 46, 80, slide=0.1),
    "trumpet": Instrument((56,), 54, 84),
    "tuba": Instrument((58,), 29, 58),
    "violin": Instrument((40,), 55, 93, chords=0.08),
    "xylophone": Instrument((13,), 60, 96, sustained=False, chords=0.2),
}


def compose(instrument: Instrument, seconds: float, rng: np.random.Generator) -> bytes:
    """Writes one random solo as a MIDI file.

    Args:
        instrument: who plays.
        seconds: how long.
        rng: the source of all choices.

    Returns:
        The bytes of a standard MIDI file.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> compose(INSTRUMENTS["violin"], 5.0, rng)[:4]
        b'MThd'
    """
    part = pretty_midi.Instrument(program=int(rng.choice(instrument.programs)))
    beat = 60.0 / rng.uniform(60, 160)
    tuning = rng.uniform(-0.3, 0.3)
    vibrato = _vibrato(instrument, rng)
    articulation, loudness = rng.uniform(0.45, 1.0), rng.uniform(60, 110)
    pitches = _scale_pitches(instrument, rng)
    degree, time = int(rng.integers(len(pitches))), float(rng.uniform(0.0, 0.3))
    motif = _motif(rng)
    while time < seconds:
        if rng.random() < 0.3:
            motif = _motif(rng)
        for beats, step in motif:
            length = beats * beat
            degree = _reflect(degree + step, len(pitches))
            if time >= seconds or rng.random() < 0.06:
                time += length
                continue
            end = min(time + length * articulation, seconds)
            velocity = int(np.clip(loudness + rng.normal(0, 8), 25, 127))
            for pitch in _chord(instrument, pitches, degree, rng):
                part.notes.append(pretty_midi.Note(velocity, pitch, time, max(end, time + 0.05)))
            start_bend = -rng.uniform(0.5, 1.5) if rng.random() < instrument.slide else 0.0
            _bend(part, time, end, tuning, start_bend, vibrato)
            time += length
    if instrument.sustained:
        _swell(part, seconds, rng)
    score = pretty_midi.PrettyMIDI()
    score.instruments.append(part)
    buffer = io.BytesIO()
    score.write(buffer)
    return buffer.getvalue()


def _scale_pitches(instrument: Instrument, rng: np.random.Generator) -> list[int]:
    """The notes of a random key within a random register of at least an octave and a half."""
    scale, key = SCALES[rng.integers(len(SCALES))], int(rng.integers(12))
    width = min(instrument.high - instrument.low, int(rng.integers(18, 31)))
    low = int(rng.integers(instrument.low, instrument.high - width + 1))
    return [pitch for pitch in range(low, low + width + 1) if (pitch - key) % 12 in scale]


def _motif(rng: np.random.Generator) -> list[tuple[float, int]]:
    """A rhythm with a melodic step for each of its notes."""
    rhythm = RHYTHMS[rng.integers(len(RHYTHMS))]
    steps = rng.choice([-4, -2, -1, -1, 0, 1, 1, 2, 4], size=len(rhythm))
    return [(beats, int(step)) for beats, step in zip(rhythm, steps, strict=True)]


def _reflect(degree: int, size: int) -> int:
    """Keeps a degree within the register by turning it back at the ends."""
    period = 2 * (size - 1)
    degree %= period
    return min(degree, period - degree)


def _chord(
    instrument: Instrument, pitches: list[int], degree: int, rng: np.random.Generator
) -> list[int]:
    if rng.random() >= instrument.chords:
        return [pitches[degree]]
    size = int(rng.integers(2, 5)) if instrument.chords > 0.3 else 2
    degrees = {_reflect(degree + 2 * voice, len(pitches)) for voice in range(size)}
    return [pitches[voice] for voice in sorted(degrees)]


def _vibrato(instrument: Instrument, rng: np.random.Generator) -> tuple[float, float]:
    """Depth in semitones and rate in hertz."""
    if not instrument.sustained:
        return 0.0, 5.0
    deepest = 0.7 if instrument.slide > 0.3 else 0.35
    return rng.uniform(0.0, deepest), rng.uniform(4.0, 7.0)


def _bend(
    part: pretty_midi.Instrument,
    start: float,
    end: float,
    tuning: float,
    start_bend: float,
    vibrato: tuple[float, float],
) -> None:
    """Tuning, slide into the note and vibrato, as pitch bends every 20 ms."""
    depth, rate = vibrato
    moving = depth > 0 or start_bend != 0
    times = np.arange(start, end, 0.02) if moving else np.array([start])
    elapsed = times - start
    slide = start_bend * np.exp(-elapsed / 0.06)
    onset = np.clip(elapsed / 0.4, 0, 1)
    semitones = tuning + slide + depth * onset * np.sin(2 * np.pi * rate * elapsed)
    values = np.clip(semitones / BEND_RANGE, -1, 1) * BEND_FULL
    part.pitch_bends.extend(
        pretty_midi.PitchBend(int(value), float(time))
        for value, time in zip(values, times, strict=True)
    )


def _swell(part: pretty_midi.Instrument, seconds: float, rng: np.random.Generator) -> None:
    """Slow dynamics through the expression controller."""
    rate, phase, depth = rng.uniform(0.1, 0.6), rng.uniform(0, 2 * np.pi), rng.uniform(0, 40)
    for time in np.arange(0, seconds, 0.1):
        value = int(110 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * rate * time + phase)))
        part.control_changes.append(pretty_midi.ControlChange(11, value, float(time)))
