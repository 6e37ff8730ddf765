"""Pairs of real recordings with different labels, for the benchmarks that mix them."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from torch import Tensor

from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.data.manifest import read_rows
from asteroid_bimodal.queries.vocabulary import Vocabulary

LOUDNESS = 0.05  # RMS of each recording in a mixture
SPEECH = "speech"  # the kind of these sounds


@dataclass(frozen=True)
class Recording:
    """A file and what is heard in it."""

    path: Path
    label: str


def pair_parser(description: str) -> argparse.ArgumentParser:
    """The options that say what is mixed, and which model separates it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--labels", nargs="+", help="use recordings of these labels alone")
    parser.add_argument("--pairs", type=int, default=1000, help="take no more, evenly spread")
    parser.add_argument("--prompt", default="The sound of {}")
    return parser


def find_pairs(
    args: argparse.Namespace, known: Collection[str] = ()
) -> list[tuple[Recording, Recording]]:
    """Lists the pairs of recordings with different labels.

    Args:
        args: of a `pair_parser`.
        known: labels to keep, where `--labels` names none; empty for all.

    Raises:
        ValueError: when there are none.
    """
    if args.pairs < 1:
        raise ValueError(f"Expected one pair or more, received --pairs {args.pairs}.")
    wanted = args.labels or known
    rows = read_rows(args.manifest, ["path", "label"], "Write it with these columns.")
    recordings = [
        Recording(args.manifest.parent / row["path"], row["label"])
        for row in rows
        if not wanted or row["label"] in wanted
    ]
    pairs = [(one, other) for one, other in combinations(recordings, 2) if one.label != other.label]
    if not pairs:
        labels = ", ".join(sorted({recording.label for recording in recordings})) or "none"
        raise ValueError(
            f"Expected recordings of two labels or more in {args.manifest}, found {labels}. Add "
            "some, or name other --labels."
        )
    return pairs[:: -(-len(pairs) // args.pairs)]


@dataclass(frozen=True)
class Sound:
    """What a word of a vocabulary stands for."""

    label: str
    kind: str


def known_sounds(vocabulary: Vocabulary | None) -> dict[str, Sound]:
    """What each word that a model knows stands for."""
    if vocabulary is None:
        return {}
    kinds = vocabulary.kinds.items()
    sounds = [Sound(label, kind) for kind, labels in kinds for label in labels]
    return {word: sound for sound in sounds for word in vocabulary.words(sound.label)}


def heard(pair: tuple[Recording, Recording], sounds: Mapping[str, Sound]) -> list[Sound]:
    """What two recordings are of; of a label that is unknown, the kind is the folder's name."""
    return [sounds.get(clip.label, Sound(clip.label, clip.path.parent.name)) for clip in pair]


def _fits(one: Sound, other: Sound) -> bool:
    """Whether two sounds are mixed: others of one kind, and speech with everyday sounds."""
    kinds = {one.kind, other.kind}
    return one.label != other.label and (
        kinds == {SPEECH, "events"} or len(kinds) == 1 and SPEECH not in kinds
    )


def find_fitting_pairs(
    args: argparse.Namespace, sounds: Mapping[str, Sound]
) -> list[tuple[Recording, Recording]]:
    """Lists, of `find_pairs`, those of two sounds of one kind, or of speech and everyday sounds."""
    pairs = [pair for pair in find_pairs(args, sounds) if _fits(*heard(pair, sounds))]
    if not pairs:
        raise ValueError(
            f"Expected recordings of two sounds of one kind in {args.manifest}, or of speech and "
            "an everyday sound, found none. Add some, or name other --labels."
        )
    return pairs


@cache  # each recording is in many pairs
def read(recording: Recording, seconds: float, sample_rate: int) -> Tensor:
    """Reads the beginning of a recording at the common loudness."""
    wav = read_crop(recording.path, 0.0, round(seconds * sample_rate), sample_rate)
    return LOUDNESS * wav / wav.square().mean().sqrt().clamp(min=1e-6)


def count(pairs: list[tuple[Recording, Recording]]) -> str:
    """Says how many there are."""
    return f"{len(pairs)} pairs of {len({clip for pair in pairs for clip in pair})} recordings"
