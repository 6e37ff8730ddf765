import io

import numpy as np
import pretty_midi
import pytest
from miniatures.performance import INSTRUMENTS, compose


def played(label: str, seed: int, seconds: float = 20.0) -> pretty_midi.Instrument:
    midi = compose(INSTRUMENTS[label], seconds, np.random.default_rng(seed))
    (part,) = pretty_midi.PrettyMIDI(io.BytesIO(midi)).instruments
    return part


@pytest.mark.parametrize("label", INSTRUMENTS)
def test_notes_suit_the_instrument(label):
    instrument = INSTRUMENTS[label]
    for seed in range(3):
        part = played(label, seed)
        assert part.program in instrument.programs and not part.is_drum
        assert len(part.notes) > 8
        for note in part.notes:
            assert instrument.low <= note.pitch <= instrument.high
            assert 25 <= note.velocity <= 127
            assert 0 <= note.start < note.end <= 20.1


@pytest.mark.parametrize("label", INSTRUMENTS)
def test_only_some_instruments_play_chords(label):
    onsets = [round(note.start, 3) for seed in range(4) for note in played(label, seed).notes]
    share = 1 - len(set(onsets)) / len(onsets)
    assert (share > 0) == (INSTRUMENTS[label].chords > 0) or share < 0.02


def test_the_generator_decides_everything():
    flute = INSTRUMENTS["flute"]
    first, again, other = (compose(flute, 5.0, np.random.default_rng(s)) for s in (0, 0, 1))
    assert first == again != other


def test_takes_vary_in_tempo_and_register():
    parts = [played("violin", seed) for seed in range(8)]
    assert len({len(part.notes) for part in parts}) > 4
    assert len({min(note.pitch for note in part.notes) for part in parts}) > 3
