"""Real recordings: which may be used, notes joined to phrases, and variants in other rooms."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pedalboard
import soundfile
import soxr
from numpy.typing import NDArray
from omegaconf import DictConfig

from asteroid_bimodal.data.manifest import read_rows

COLUMNS = ["path", "label", "seconds", "kind", "group", "pitch", "licence", "attribution", "source"]
SHORT = 3.0  # seconds: shorter events are heard several times, as they mostly are
POLYPHONIC = ("acoustic guitar", "electric guitar", "harp", "organ", "piano")
NOTES = "C C# D D# E F F# G G# A A# B".split()
STRUCK = ("congas", "drum kit")


@dataclass(frozen=True)
class Recording:
    """A row of the manifest under our label."""

    path: Path
    label: str
    kind: str
    group: str
    pitch: str
    licence: str
    attribution: str


@dataclass(frozen=True)
class Piece:
    """A file to make: one recording, or notes of one group that are joined to a phrase."""

    name: str
    label: str
    split: str
    recordings: Sequence[Recording]
    variant: int


def choose(conf: DictConfig, labels: Sequence[str]) -> list[Recording]:
    """Reads a manifest and leaves out what must not be used.

    Args:
        conf: the section `recordings` of sources.yml.
        labels: of the vocabulary.

    Raises:
        ValueError: for a label that is neither of the vocabulary nor said to be left out.
    """
    manifest = Path(conf.manifest)
    chosen = []
    for row in read_rows(manifest, COLUMNS, "Give --recordings.manifest."):
        label = conf.labels.get(row["label"], row["label"])
        if label is None:
            continue
        if label not in labels:
            raise ValueError(
                f"{manifest} has {label!r}, which is not in vocabulary.yml: add it there, or say "
                "in recordings.labels of sources.yml what it is, or null."
            )
        refused = any(part in row["licence"] for part in conf.refused)
        if refused and label not in conf.needed:
            continue
        chosen.append(
            Recording(
                manifest.parent / row["path"],
                label,
                row["kind"],
                row["group"],
                row["pitch"],
                row["licence"],
                row["attribution"] or row["source"],
            )
        )
    return chosen


def split_groups(recordings: Sequence[Recording], share: float) -> dict[str, str]:
    """Says of each group whether it trains or validates: every label keeps two to train with.

    Args:
        recordings: all that are used.
        share: of each label's groups that validate.

    Returns:
        train or valid for each (label and group).
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for recording in recordings:
        if recording.group not in groups[recording.label]:
            groups[recording.label].append(recording.group)
    splits: dict[str, str] = {}
    for label, names in sorted(groups.items()):
        held = min(max(1, round(share * len(names))), max(0, len(names) - 2))
        order = np.random.default_rng(_seed("split", label)).permutation(sorted(names))
        for number, name in enumerate(order):
            # A group of several labels stays on the side where it was first.
            splits.setdefault(str(name), "valid" if number < held else "train")
    return splits


def plan(
    recordings: Sequence[Recording], conf: DictConfig, splits: Mapping[str, str]
) -> list[Piece]:
    """Plans the files: phrases of notes, and as many variants as make labels alike in number."""
    by_label: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        by_label[recording.label].append(recording)
    pieces: list[Piece] = []
    for label, found in sorted(by_label.items()):
        wholes = [[one] for one in found if one.kind != "single_note"]
        notes: dict[str, list[Recording]] = defaultdict(list)
        for one in found:
            if one.kind == "single_note":
                notes[one.group].append(one)
        phrases = [group for group in notes.values() if len(group) > 1]
        for split in ("train", "valid"):
            own = [p for p in (*wholes, *phrases) if splits[p[0].group] == split]
            seconds = [4 if len(p) > 1 else 1 for p in own]  # a group of notes gives several
            wanted = conf.files if split == "train" else len(own)
            times = math.ceil(wanted / max(1, sum(seconds)))
            for number, part in enumerate(own):
                most = conf.most_variants * seconds[number] if split == "train" else 1
                for variant in range(min(times * seconds[number], most)):
                    name = f"{split}/{label.replace(' ', '_')}_{number:03d}_{variant}"
                    pieces.append(Piece(name, label, split, part, variant))
    return pieces


def make(piece: Piece, conf: DictConfig, sample_rate: int, seed: int) -> NDArray[np.float32]:
    """Makes the sound of a file, (T,) within ±1 at an RMS of 0.1 where it sounds.

    The first variant of a recording, and all that validates, is as it was recorded.
    """
    rng = np.random.default_rng((seed, _seed(piece.name, piece.label)))
    if len(piece.recordings) > 1:
        audio = _phrase(piece, conf.phrase_seconds, sample_rate, rng)
    else:
        audio = _read(piece.recordings[0].path, sample_rate)
        if piece.recordings[0].kind == "event" and len(audio) < SHORT * sample_rate:
            audio = _again(audio, sample_rate, rng)
    if piece.split == "train" and piece.variant:
        audio = vary(audio, sample_rate, rng)
    return level(audio)


def vary(
    audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The same sound somewhat faster or slower, in another room, through another microphone."""
    speed = 2 ** rng.uniform(-1.5 / 12, 1.5 / 12)
    audio = soxr.resample(audio, sample_rate * speed, sample_rate).astype(np.float32)
    board = [
        pedalboard.LowShelfFilter(rng.uniform(80, 400), rng.uniform(-6, 6)),
        pedalboard.PeakFilter(rng.uniform(300, 3000), rng.uniform(-4, 4), rng.uniform(0.4, 1.5)),
        pedalboard.HighShelfFilter(rng.uniform(1500, 6000), rng.uniform(-8, 6)),
    ]
    if rng.random() < 0.3:
        board.append(pedalboard.HighpassFilter(rng.uniform(40, 250)))
    if rng.random() < 0.2:
        board.append(pedalboard.LowpassFilter(rng.uniform(3000, 7500)))
    if rng.random() < 0.3:
        board.append(pedalboard.Compressor(rng.uniform(-35, -15), rng.uniform(1.5, 4)))
    if rng.random() < 0.7:
        wet = rng.uniform(0.03, 0.35)
        board.append(
            pedalboard.Reverb(rng.uniform(0.05, 0.8), rng.uniform(0.2, 0.9), wet, 1 - wet / 2)
        )
    varied = pedalboard.Pedalboard(board)(audio, sample_rate)
    noise = (
        rng.normal(size=varied.shape) * 10 ** (rng.uniform(-80, -55) / 20) * np.abs(varied).max()
    )
    return (varied + noise).astype(np.float32)


def level(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brings what sounds to an RMS of 0.1, or to a peak of 0.99 where that is less."""
    frames = np.lib.stride_tricks.sliding_window_view(np.square(audio), 400)[::400].mean(axis=1)
    loud = frames[frames > frames.max() * 1e-3].mean() if frames.max() > 0 else 1.0
    gain = min(0.1 / math.sqrt(loud), 0.99 / max(float(np.abs(audio).max()), 1e-6))
    return (audio * gain).astype(np.float32)


def _read(path: Path, sample_rate: int) -> NDArray[np.float32]:
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(audio.mean(axis=1), rate, sample_rate).astype(np.float32)


def _again(
    audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    parts = []
    while sum(map(len, parts)) < 2 * SHORT * sample_rate:
        gap = rng.exponential(0.4) if rng.random() < 0.8 else rng.uniform(0.5, 1.5)
        parts += [audio * rng.uniform(0.6, 1.0), np.zeros(int(gap * sample_rate), np.float32)]
    return np.concatenate(parts[:-1])


def _phrase(
    piece: Piece, seconds: float, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Notes of one group after each other, near each other in pitch, or strokes of a drummer."""
    notes = sorted(piece.recordings, key=lambda one: (_pitch(one.pitch), one.path.name))
    beat, place = rng.uniform(0.15, 0.8), int(rng.integers(len(notes)))
    struck, rings = piece.label in STRUCK, piece.label in (*STRUCK, *POLYPHONIC)
    audio = np.zeros(int(seconds * sample_rate), np.float32)
    time = 0.0
    while time < seconds - 0.2:
        length = beat * float(rng.choice([0.5, 1.0, 1.0, 2.0]))
        size = int(rng.integers(2, 4)) if rings and not struck and rng.random() < 0.3 else 1
        for voice in range(size):
            note = notes[(place + 2 * voice) % len(notes)]
            sound = _read(note.path, sample_rate) * rng.uniform(0.5, 1.0)
            if not rings:
                sound = _cut(sound, length, sample_rate)
            begin = int(time * sample_rate)
            sound = sound[: len(audio) - begin]
            audio[begin : begin + len(sound)] += sound
        step = int(rng.integers(len(notes))) if struck else place + int(rng.integers(-3, 4))
        place = min(max(step, 0), len(notes) - 1)
        time += length
    return audio


def _cut(sound: NDArray[np.float32], seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """Ends a note when the next one begins, within 60 ms."""
    fade = int(0.06 * sample_rate)
    sound = sound[: int(seconds * sample_rate) + fade].copy()
    fade = min(fade, len(sound))
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return sound


def _pitch(name: str) -> float:
    """The MIDI number of a pitch such as C#4 or 61; 0 where there is none."""
    if number := re.fullmatch(r"(?:.*midi)?0*(\d+)", name):
        return float(number[1])
    if note := re.fullmatch(r"([A-G]#?)(\d)", name):
        return float(12 * (int(note[2]) + 1) + NOTES.index(note[1]))
    return 0.0


def _seed(*parts: str) -> int:
    return crc32("/".join(parts).encode())
