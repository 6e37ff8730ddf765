"""What partial reads and preparation gain, and how many workers keep a training step fed.

Files of three minutes, a tone over noise, are written to a temporary folder in each format and
read while they are in the system's file cache, with one thread. Times are of the CPU:

- crop: a crop of 131070 samples at 16 kHz, as a training example takes it
- whole: the same crop from the whole file, read as one
- resampling: what of the crop's time is spent on it
- batch: 16 examples of 2 mixtures of 2 sources, that is 64 crops, mixed and stacked
- workers: how many, each on a core of its own, give a batch every 0.2 s

    python benchmarks/reading.py
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from paired import ratio
from tqdm import tqdm

from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.manifest import Clip, write_manifest
from asteroid_bimodal.data.prepare import resample_clip
from asteroid_bimodal.dsp.resample import resample_recording

RATE, NUM_SAMPLES = 16_000, 131_070
BATCH, STEP = 16, 0.2  # examples, seconds
FORMATS = ("wav", "flac", "ogg", "mp3")


def write_file(path: Path, minutes: float, rate: int, channels: int) -> None:
    """Writes a file second by second; the encoder for ogg cannot take it all at once."""
    rng = np.random.default_rng(0)
    seconds = np.arange(rate) / rate
    with soundfile.SoundFile(path, "w", rate, channels) as file:
        for second in range(round(60 * minutes)):
            tone = 0.2 * np.sin(2 * np.pi * (220 + second) * seconds)
            file.write(tone[:, None] + 0.05 * rng.standard_normal((rate, channels)))


def read_whole(path: Path, start: float) -> torch.Tensor:
    """Reads everything and keeps a crop, which alone is resampled."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    first, length = round(start * rate), -(-NUM_SAMPLES * rate // RATE)
    wav = torch.from_numpy(audio[first : first + length]).mean(1)
    return resample_recording(wav, rate, RATE)


def milliseconds(work: Callable[[float], object], starts: list[float]) -> float:
    """Takes the median time of a piece of work, after one that does not count."""
    work(starts[0])
    times = []
    for start in starts:
        began = time.process_time()
        work(start)
        times.append(1000 * (time.process_time() - began))
    return median(times)


def measure(path: Path, minutes: float, crops: int) -> str:
    """Measures one file; returns a row of the table."""
    room = 60 * minutes - NUM_SAMPLES / RATE
    starts = (room * np.random.default_rng(1).random(crops)).tolist()
    rate = soundfile.info(path).samplerate
    crop = milliseconds(lambda start: read_crop(path, start, NUM_SAMPLES, RATE), starts)
    whole = milliseconds(lambda start: read_whole(path, start), starts[: max(3, crops // 4)])
    wav = torch.randn(-(-NUM_SAMPLES * rate // RATE))
    resampling = milliseconds(lambda _: resample_recording(wav, rate, RATE), starts)
    batch = milliseconds(lambda start: draw_batch(path, minutes, round(1000 * start)), starts[:5])
    workers = math.ceil(batch / 1000 / STEP)
    figures = f"{crop:.1f} | {whole:.0f} | {whole / crop:.0f} | {resampling:.1f}"
    return f"{figures} | {batch / 1000:.2f} | {workers}"


def draw_batch(path: Path, minutes: float, seed: int) -> object:
    """Draws a training batch; each label's clip is the same file."""
    manifest = path.with_suffix(f"{path.suffix}.csv")
    rows = [Clip(path.name, f"label {n}", "", 60 * minutes, "train") for n in range(8)]
    if not manifest.exists():
        write_manifest(manifest, rows)
    data = LabelledMixtures(
        manifest, sample_rate=RATE, num_samples=NUM_SAMPLES, epoch_size=BATCH, seed=seed
    )
    return collate([data[index] for index in range(BATCH)])


def short() -> dict[str, float]:
    """Time of a crop over that of the whole file, for `benchmarks.check`."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.flac"
        write_file(path, 1.0, 44_100, 2)
        found = ratio(
            lambda: read_crop(path, 20.0, NUM_SAMPLES, RATE), lambda: read_whole(path, 20.0)
        )
    return {"a crop of a minute of FLAC, the whole = 1": found}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the files")
    parser.add_argument("--crops", type=int, default=40, help="crops of each file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| file | crop, ms | whole, ms | times faster | resampling, ms | batch, s | workers |")
    print("|-|-|-|-|-|-|-|")
    with tempfile.TemporaryDirectory() as folder:
        plan = [(rate, n, kind) for rate, n in ((RATE, 1), (44_100, 2)) for kind in FORMATS]
        for rate, channels, kind in tqdm(plan, desc="measuring"):
            path = Path(folder) / f"{rate}.{kind}"
            write_file(path, args.minutes, rate, channels)
            name = f"{rate / 1000:g} kHz {'stereo' if channels == 2 else 'mono'} {kind}"
            tqdm.write(f"| {name} | {measure(path, args.minutes, args.crops)} |")
            if (rate, kind) == (44_100, "wav"):
                prepared = path.with_name("prepared.flac")
                began = time.process_time()
                resample_clip(path, prepared, RATE)
                seconds = time.process_time() - began
                figures = measure(prepared, args.minutes, args.crops)
                tqdm.write(f"| the same, prepared in {seconds:.1f} s | {figures} |")


if __name__ == "__main__":
    main()
