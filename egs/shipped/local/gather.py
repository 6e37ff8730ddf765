"""Stage 0: renders and gathers what a shipped model learns from.

    python local/gather.py data/sounds [--recordings.manifest FILE] [--takes 8] …

Leaves train.csv, valid.csv (recordings of groups kept apart, and solos on another soundfont) and
sources.csv: what was learned from, under which licence, by whom.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2] / "utils"))  # the miniatures

import numpy as np
import pretty_midi
import soundfile
from miniatures.events import render_event
from miniatures.takes import Miniature, Take
from omegaconf import DictConfig
from recordings import Piece, Recording, choose, level, make, plan, split_groups, vary
from soundfonts import PARTS, render_solo
from tqdm import tqdm

from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest, write_rows
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.queries.vocabulary import read_vocabulary
from asteroid_bimodal.utils.conf import load_conf
from asteroid_bimodal.utils.files import atomic_write

HERE = Path(__file__).parent
# Where soundfonts are: Debian's folders, and the recipe's own.
FOLDERS = [Path("/", "usr/share/sounds", kind) for kind in ("sf2", "sf3")] + [HERE.parent / "data"]


def solo(take: Take, sample_rate: int, *, soundfont: str) -> np.ndarray:
    """A solo in a room, as `Miniature` asks for it."""
    rng = np.random.default_rng(take.numbers)
    clip = take.clip
    audio = render_solo(clip.label, clip.seconds, soundfont, sample_rate, rng)
    return _of_length(level(vary(level(audio), sample_rate, rng)), clip.seconds, sample_rate)


def event(take: Take, sample_rate: int) -> np.ndarray:
    """A synthesised everyday sound, as `Miniature` asks for it."""
    rng = np.random.default_rng(take.numbers)
    return level(render_event(take.clip.label, take.clip.seconds, sample_rate, rng))


def _of_length(audio: np.ndarray, seconds: float, sample_rate: int) -> np.ndarray:
    length = round(seconds * sample_rate)
    return np.pad(audio[:length], (0, max(0, length - len(audio))))


def gather(conf: DictConfig, root: Path, num_workers: int) -> None:
    """Makes what is missing, and the manifests.

    Args:
        conf: sources.yml and the options over it.
        root: folder of the data.
        num_workers: processes.
    """
    labels = read_vocabulary(HERE / "vocabulary.yml").labels
    clips = [*_solos(conf, root, num_workers), *_events(conf, root, num_workers)]
    sources = [
        {"source": font.package, "licence": font.licence, "attribution": font.attribution}
        for font in conf.soundfonts
    ]
    if conf.recordings.manifest:
        recordings = choose(conf.recordings, labels)
        clips += _recordings(recordings, conf, root, num_workers)
        sources += [
            {"source": one.path.name, "licence": one.licence, "attribution": one.attribution}
            for one in recordings
        ]
    unknown = sorted({clip.label for clip in clips} - set(labels))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not in vocabulary.yml.")
    for split in ("train", "valid"):
        write_manifest(root / f"{split}.csv", [clip for clip in clips if clip.split == split])
    write_rows(root / "sources.csv", ["source", "licence", "attribution"], sources)
    print(f"{len(clips)} files of {len({clip.label for clip in clips})} sounds in {root}")


def _solos(conf: DictConfig, root: Path, num_workers: int) -> Iterator[Clip]:
    for font in conf.soundfonts:
        path = next(
            (folder / font.file for folder in FOLDERS if (folder / font.file).is_file()), None
        )
        if path is None:
            raise FileNotFoundError(
                f"{font.file} is in none of {', '.join(map(str, FOLDERS))}. Install the Debian "
                f"package {font.package}, put the file into egs/shipped/data, or leave it out of "
                "sources.yml."
            )
        takes = {"train": conf.takes}
        yield from _on_soundfont(str(path), font.package, takes, conf, root, num_workers)
    unheard = conf.valid_soundfont or Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")
    takes = {"valid": conf.valid_takes}
    yield from _on_soundfont(str(unheard), "valid_soundfont", takes, conf, root, num_workers)


def _on_soundfont(
    path: str, name: str, takes: dict[str, int], conf: DictConfig, root: Path, num_workers: int
) -> Iterator[Clip]:
    solos = Miniature(
        kind=name,
        labels=tuple(PARTS),
        takes=takes,
        seconds=tuple(conf.take_seconds),
        sound=partial(solo, soundfont=path),
    )
    return _render(solos, root, name, conf, num_workers)


def _events(conf: DictConfig, root: Path, num_workers: int) -> Iterator[Clip]:
    names = conf.synthesised.labels
    events = Miniature(
        kind="events",
        labels=tuple(names),
        takes={"train": conf.synthesised.takes},
        seconds=tuple(conf.synthesised.seconds),
        sound=event,
    )
    for clip in _render(events, root, "synthesised", conf, num_workers):
        yield replace(clip, label=names[clip.label])


def _render(
    miniature: Miniature, root: Path, folder: str, conf: DictConfig, num_workers: int
) -> Iterator[Clip]:
    manifests = miniature.render(
        root / folder,
        sample_rate=conf.sample_rate,
        seed=conf.seed,
        namespace="shipped",
        num_workers=num_workers,
    )
    for manifest in manifests.values():
        for clip in read_manifest(manifest):
            yield replace(clip, path=f"{folder}/{clip.path}")


def _recordings(
    recordings: Sequence[Recording], conf: DictConfig, root: Path, num_workers: int
) -> list[Clip]:
    splits = split_groups(recordings, conf.recordings.valid_groups)
    pieces = plan(recordings, conf.recordings, splits)
    write = partial(_write, conf=conf, root=root)
    with ProcessPoolExecutor(num_workers, mp_context=get_context("fork")) as pool:
        made = pool.map(write, pieces, chunksize=8)
        return list(tqdm(made, total=len(pieces), desc="recordings", unit="file", disable=None))


def _write(piece: Piece, *, conf: DictConfig, root: Path) -> Clip:
    path = f"recordings/{piece.name}.wav"
    if not (root / path).is_file():
        audio = make(piece, conf.recordings, conf.sample_rate, conf.seed)
        with atomic_write(root / path) as temporary:
            soundfile.write(temporary, audio, conf.sample_rate, subtype="PCM_16", format="WAV")
    seconds = soundfile.info(root / path).duration
    return Clip(path, piece.label, "", round(seconds, 2), piece.split)


def main(options: list[str]) -> None:
    """Reads sources.yml and the options over it, and gathers."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("root", type=Path)
    parser.add_argument("--num_workers", type=int, default=2)
    args, rest = parser.parse_known_args(options)
    gather(load_conf([HERE / "sources.yml"], rest), args.root, args.num_workers)


if __name__ == "__main__":
    run_script(main)
