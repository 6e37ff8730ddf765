"""How many of the sounds in mixtures of one to three recordings `find` tells, and how rightly.

Recordings of a manifest, as of real_pairs.py, are drawn by label and mixed at equal loudness; the
model looks for everything that it knows.

    python benchmarks/finding.py recordings/manifest.csv --model small [--mixtures 10]

Precision is how much of what is told is there, recall how much of what is there is told, over all
mixtures of so many sounds; the last column has what telling each sound at random would make right.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import soundfile
from pairs import Recording, Sound, find_pairs, known_sounds, pair_parser, read
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.separate import find_sounds


def main(options: list[str]) -> None:
    """Prints precision and recall by the number of sounds and the least likelihood."""
    parser = pair_parser(__doc__.splitlines()[0])
    parser.add_argument("--mixtures", type=int, default=10, help="of each number of sounds")
    parser.add_argument("--least", type=float, nargs="+", default=[0.5], help="likelihoods")
    args = parser.parse_args(options)
    model = load_model(args.model).eval()
    sounds = known_sounds(model.vocabulary)
    recordings = list(dict.fromkeys(clip for pair in find_pairs(args, sounds) for clip in pair))
    drawn = [
        mixture
        for number in (1, 2, 3)
        for mixture in draw(recordings, sounds, number, args.mixtures)
    ]
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mixture.wav"
        for clips in tqdm(drawn, disable=None):
            wav = sum(read(clip, args.seconds, model.sample_rate) for clip in clips)
            soundfile.write(path, wav.numpy(), int(model.sample_rate), subtype="FLOAT")
            told = find_sounds(model, path, least=min(args.least))
            there = {sounds[clip.label].label for clip in clips}
            for least in args.least:
                names = {one.name for one in told if one.score.likelihood >= least}
                rows.append([least, len(clips), len(names), len(names & there)])
    table = pd.DataFrame(rows, columns=["least", "sounds", "told", "right"])
    print(f"{args.model}: {len(drawn)} mixtures, {len(model.vocabulary.labels)} known sounds")
    print(summary(table, len(model.vocabulary.labels)).to_string())


def draw(
    recordings: Sequence[Recording], sounds: Mapping[str, Sound], number: int, mixtures: int
) -> list[list[Recording]]:
    """Draws mixtures of so many recordings of different sounds, each sound as often as another."""
    rng = random.Random(number)
    by_label: dict[str, list[Recording]] = {}
    for clip in recordings:
        by_label.setdefault(sounds[clip.label].label, []).append(clip)
    labels = sorted(by_label)
    return [
        [rng.choice(by_label[label]) for label in rng.sample(labels, number)]
        for _ in range(mixtures)
    ]


def summary(table: pd.DataFrame, known: int) -> pd.DataFrame:
    """Precision and recall of each least likelihood and number of sounds."""
    groups = table.assign(mixtures=1).groupby(["least", "sounds"]).sum()
    there = groups.mixtures * groups.index.get_level_values("sounds")
    return pd.DataFrame(
        {
            "told": groups.told,
            "precision": groups.right / groups.told,
            "recall": groups.right / there,
            "by chance": groups.index.get_level_values("sounds") / known,
        }
    ).round(2)


if __name__ == "__main__":
    run_script(main)
