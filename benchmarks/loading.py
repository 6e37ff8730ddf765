"""Training examples a second, by number of workers, and what an example costs in larger sets.

Prepared FLAC files at 16 kHz, a tone over noise, are written to a temporary folder and read from
the system's file cache: 16 examples a batch, of 2 mixtures of 2 sources of 131070 samples. A second
table draws examples of clips with captions from sets of several sizes; the files are the same few,
so that what grows is the work that depends on the set.

    python benchmarks/loading.py [--batches 12] [--workers 0 1 2 4]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from paired import medians, ratio

from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.data.captioned import CaptionedMixtures
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.loader import ExampleLoader
from asteroid_bimodal.data.manifest import Clip, write_manifest

RATE, NUM_SAMPLES, BATCH, SECONDS = 16_000, 131_070, 16, 30
LABELS = ["dog barks", "rain falls", "bell rings", "man talks", "wind blows", "cat meows"]
SIZES = (500, 50_000)


def write_files(folder: Path) -> list[Clip]:
    """Writes a file for each label; returns their rows."""
    rng, clips = np.random.default_rng(0), []
    for number, label in enumerate(LABELS):
        time_axis = np.arange(SECONDS * RATE) / RATE
        wav = 0.2 * np.sin(2 * np.pi * 200 * (number + 1) * time_axis)
        soundfile.write(folder / f"{number}.flac", wav + 0.05 * rng.standard_normal(len(wav)), RATE)
        clips.append(Clip(f"{number}.flac", label, f"a {label}", SECONDS, "train"))
    return clips


def captioned(folder: Path, clips: list[Clip], size: int, num_samples: int) -> CaptionedMixtures:
    """A set of so many rows."""
    manifest = folder / f"captioned{size}.csv"
    write_manifest(manifest, (clips * (size // len(clips) + 1))[:size])
    return CaptionedMixtures(
        manifest, sample_rate=RATE, num_samples=num_samples, num_absent=1, epoch_size=1000
    )


def examples(data: CaptionedMixtures, count: int) -> None:
    """Draws some."""
    for index in range(count):
        data[index]


def short() -> dict[str, float]:
    """Time of an example of a large set over that of a small one, for `benchmarks.check`."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = write_files(folder)
        small, large = (captioned(folder, clips, size, RATE) for size in SIZES)
        found = ratio(lambda: examples(large, 40), lambda: examples(small, 40))
    return {"an example of 50000 clips, of 500 = 1": found}


def throughput(manifest: Path, workers: int, batches: int) -> tuple[float, float]:
    """Examples a second of wall-clock time and of CPU time, the start of workers included."""
    data = LabelledMixtures(
        manifest, sample_rate=RATE, num_samples=NUM_SAMPLES, epoch_size=BATCH * batches
    )
    before, start = os.times(), time.perf_counter()
    loader = ExampleLoader(data, batch_size=BATCH, collate_fn=collate, num_workers=workers)
    count = sum(len(batch.mixtures) for batch in loader)
    wall = time.perf_counter() - start
    del loader  # whose workers count when they have ended
    after = os.times()
    return count / wall, count / (sum(after[:4]) - sum(before[:4]))


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = write_files(folder)
        write_manifest(folder / "train.csv", clips)
        print("| workers | examples a second | examples a second of CPU time |\n|-:|-:|-:|")
        for workers in args.workers:
            wall, cpu = throughput(folder / "train.csv", workers, args.batches)
            print(f"| {workers} | {wall:.1f} | {cpu:.1f} |", flush=True)
        sets = {size: captioned(folder, clips, size, NUM_SAMPLES) for size in SIZES}
        works = {str(size): lambda data=data: examples(data, 20) for size, data in sets.items()}
        print("\n| clips with captions | CPU time of an example, ms |\n|-:|-:|")
        for size, seconds in medians(works).items():
            print(f"| {size} | {1000 * seconds / 20:.1f} |")


if __name__ == "__main__":
    main()
