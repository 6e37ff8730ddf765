"""Solos of General MIDI instruments on soundfonts with real samples."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pretty_midi
import soxr
import tinysoundfont
from miniatures.performance import INSTRUMENTS as MUSIC
from miniatures.performance import Instrument, compose
from numpy.typing import NDArray

RENDER_RATE = 48_000
DRUM_BANK = 128


@dataclass(frozen=True)
class Part:
    """An instrument of a soundfont and how it is played; drums strike `keys` instead.

    Attributes:
        player: range and habits; its programs are those of the bank.
        bank: of the soundfont.
        keys: of a drum kit, each with how often it is struck.
    """

    player: Instrument
    bank: int = 0
    keys: Mapping[int, float] | None = None


def _plucked(*programs: int, low: int, high: int, chords: float = 0.0) -> Part:
    return Part(Instrument(programs, low, high, sustained=False, chords=chords))


def _kit(*programs: int, keys: Mapping[int, float]) -> Part:
    return Part(Instrument(programs, 0, 127, sustained=False), DRUM_BANK, keys)


PARTS = {
    **{label: Part(player) for label, player in MUSIC.items()},
    "banjo": _plucked(105, low=48, high=84, chords=0.2),
    "bassoon": Part(Instrument((70,), 34, 67)),
    "congas": _kit(0, 8, keys={60: 0.5, 61: 0.6, 62: 1.0, 63: 1.0, 64: 1.2}),
    "double bass": _plucked(32, low=28, high=58),
    "drum kit": _kit(
        0, 1, 2, 8, 16, 32, 40,
        keys={36: 1.2, 38: 1.0, 42: 2.0, 46: 0.4, 49: 0.1, 51: 0.6, 45: 0.2, 48: 0.2, 41: 0.2},
    ),
    "electric bass": _plucked(33, 34, 35, 36, low=28, high=58),
    "electric guitar": _plucked(26, 27, 28, 29, 30, low=40, high=84, chords=0.3),
    "french horn": Part(Instrument((60,), 41, 77)),
    "harp": _plucked(46, low=36, high=96, chords=0.3),
    "oboe": Part(Instrument((68,), 58, 91)),
    "organ": Part(Instrument((16, 17, 18, 19), 36, 91, chords=0.6)),
    "piano": _plucked(0, 1, low=33, high=96, chords=0.5),
    "trombone": Part(Instrument((57,), 40, 72, slide=0.1)),
    "ukulele": Part(Instrument((24,), 60, 84, sustained=False, chords=0.5), bank=8),
}  # fmt: skip


@lru_cache(maxsize=1)
def _synth(path: str) -> tuple[tinysoundfont.Synth, int]:
    synth = tinysoundfont.Synth(samplerate=RENDER_RATE, gain=-6)
    return synth, synth.sfload(path)


def render_solo(
    label: str, seconds: float, soundfont: str, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Renders a random solo.

    Args:
        label: one of `PARTS`.
        seconds: how long.
        soundfont: path of an sf2 or sf3 file.
        sample_rate: in hertz.
        rng: the source of all choices.

    Returns:
        (T,), of the level that the soundfont gives it.
    """
    part = PARTS[label]
    if part.keys is None:
        score = pretty_midi.PrettyMIDI(io.BytesIO(compose(part.player, seconds, rng)))
        music = score.instruments[0]
    else:
        music = _beat(part, seconds, rng)
    synth, loaded = _synth(soundfont)
    synth.program_select(0, loaded, part.bank, music.program, part.bank == DRUM_BANK)
    audio = _play(synth, music, seconds)
    synth.sounds_off()
    synth.control_change(0, 121, 0)  # controllers back to where they start
    synth.pitchbend(0, 8192)
    return soxr.resample(audio, RENDER_RATE, sample_rate).astype(np.float32)


def _play(
    synth: tinysoundfont.Synth, music: pretty_midi.Instrument, seconds: float
) -> NDArray[np.float32]:
    """Sends what happens to a synthesizer at its time, and collects what it plays in mono."""
    events = [(bend.time, 0, bend.pitch + 8192, 0) for bend in music.pitch_bends]
    events += [(change.time, 1, change.number, change.value) for change in music.control_changes]
    for note in music.notes:
        events += [(note.start, 3, note.pitch, note.velocity), (note.end, 2, note.pitch, 0)]
    done, parts = 0, []
    for time, kind, first, second in [*sorted(events), (seconds, 4, 0, 0)]:
        until = min(round(time * RENDER_RATE), round(seconds * RENDER_RATE))
        if until > done:
            block = np.frombuffer(bytes(synth.generate(until - done)), np.float32)
            parts.append(block.reshape(-1, 2).mean(axis=1))
            done = until
        if kind == 0:
            synth.pitchbend(0, min(first, 16383))
        elif kind == 1:
            synth.control_change(0, first, second)
        elif kind == 2:
            synth.noteoff(0, first)
        elif kind == 3:
            synth.noteon(0, first, second)
    return np.concatenate(parts)


def _beat(part: Part, seconds: float, rng: np.random.Generator) -> pretty_midi.Instrument:
    """A bar of random strokes on a grid of sixteenths, which is repeated and varied."""
    music = pretty_midi.Instrument(program=int(rng.choice(part.player.programs)), is_drum=True)
    step, swing = 15.0 / rng.uniform(70, 150), rng.uniform(0, 0.2)
    bar = _strokes(part, rng)
    for number in range(int(seconds / step)):
        if number % 16 == 0 and rng.random() < 0.4:
            bar = _strokes(part, rng)
        time = (number + (swing if number % 2 else 0) + rng.normal(0, 0.02)) * step
        for key, loudness in bar[number % 16]:
            if rng.random() < 0.9:
                velocity = int(np.clip(loudness + rng.normal(0, 10), 20, 127))
                start = max(0.0, time)
                music.notes.append(pretty_midi.Note(velocity, key, start, start + 0.3))
    return music


def _strokes(part: Part, rng: np.random.Generator) -> list[list[tuple[int, float]]]:
    accents = np.array([1.0, 0.3, 0.6, 0.3] * 4)
    return [
        [
            (key, rng.uniform(50, 115))
            for key, often in part.keys.items()
            if rng.random() < 0.4 * often * accent
        ]
        for accent in accents
    ]
