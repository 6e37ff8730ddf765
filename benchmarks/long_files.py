"""Peak memory and time of separating a long file.

The file, noise over a wandering tone, is written to a temporary folder, separated on the CPU with
one thread, and deleted. The peak is that of the whole process, PyTorch and the model included.

    python benchmarks/long_files.py --minutes 60 --rate 8000 --channels 1 violin flute
    python benchmarks/long_files.py --minutes 60 --rate 44100 --channels 2 violin
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from asteroid_bimodal.hub import load_model
from asteroid_bimodal.separate import separate_files


def write_input(path: Path, minutes: int, rate: int, channels: int) -> None:
    """Writes the file minute by minute."""
    rng = np.random.default_rng(0)
    seconds = np.arange(60 * rate) / rate
    with soundfile.SoundFile(path, "w", rate, channels, "PCM_16") as file:
        for minute in range(minutes):
            tone = 0.2 * np.sin(2 * np.pi * (220 + 10 * minute) * seconds)
            file.write(tone[:, None] + 0.02 * rng.standard_normal((len(tone), channels)))


def peak() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Separates one file, and prints memory and time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("queries", nargs="+")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=int, default=44100)
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        write_input(path, args.minutes, args.rate, args.channels)
        model = load_model(args.model, "cpu")
        loaded, start = peak(), time.process_time()
        results = separate_files(model, [path], args.queries, progress=True)
        if results.failed:
            raise SystemExit(results.failed[path])
    seconds = time.process_time() - start
    print(f"{loaded:.0f} MB when loaded, {peak():.0f} MB at the peak, {seconds:.0f} s of CPU time")


if __name__ == "__main__":
    main()
