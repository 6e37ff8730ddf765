"""What `eval.py` costs on items of full size: 131070 samples at 16 kHz, two sources.

Tones over noise are written to a temporary folder. The network, of random weights, is the paper's
with fewer maps (mini), the paper's own, or none: then the rows are what reading and scoring take.
The CLAP is the miniature's. CPU time is that of all processes, "separating" what the same batches
take without scores.

    python benchmarks/evaluating.py --network none --items 32 --workers 0 1
    python benchmarks/evaluating.py --network paper --items 1 --workers 0
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from loading import LABELS, NUM_SAMPLES, RATE, SECONDS, write_files
from torch import Tensor

from asteroid_bimodal.data.datasets import PinnedMixtures
from asteroid_bimodal.data.pinned import PinnedMixture, PinnedSource, write_test_list
from asteroid_bimodal.engine.evaluate import evaluate, separate_items
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import ClapTextEncoder, QueryEncoder
from asteroid_bimodal.scorers import ClapScorer

SIZES = {
    "mini": {"out_dim": 32, "num_downs": 6, "ngf": 12, "num_heads": 4},
    "paper": {"out_dim": 32, "num_downs": 7, "ngf": 64, "num_heads": 8},
}


class NoNetwork(torch.nn.Module):
    """Gives noisy halves of the mixture."""

    sample_rate, device = RATE, torch.device("cpu")
    query_encoder = QueryEncoder()

    def forward(self, wavs: Tensor, queries: list[list[str]]) -> Tensor:
        """Separates (B, T) by Q queries of each: (B, Q, T)."""
        noise = torch.randn(len(wavs), len(queries[0]), wavs.shape[-1])
        return 0.5 * wavs.unsqueeze(1) + 0.01 * noise


def build(network: str) -> torch.nn.Module:
    """A separator of random weights."""
    if network == "none":
        return NoNetwork()
    encoder = ClapTextEncoder("mini")
    dims = {"cond_dim": encoder.token_dim, "pooled_dim": encoder.pooled_dim}
    return BiModalUNet(RATE, 1022, 256, "mini", **dims, **SIZES[network]).eval()


def write_list(folder: Path, count: int) -> PinnedMixtures:
    """A test list of pairs of the sounds, each from another place."""
    write_files(folder)
    mixtures = []
    for item in range(count):
        places = [item % len(LABELS), (item + 1 + item // len(LABELS)) % len(LABELS)]
        places[1] = (places[1] + (places[0] == places[1])) % len(LABELS)
        start = item / count * (SECONDS - NUM_SAMPLES / RATE)
        sources = [PinnedSource(f"{n}.flac", LABELS[n], round(start, 3), 1.0) for n in places]
        mixtures.append(PinnedMixture(item, tuple(sources)))
    path = write_test_list(folder, "test_2src", mixtures)
    return PinnedMixtures(path, folder, sample_rate=RATE, num_samples=NUM_SAMPLES)


def cpu_and_wall() -> tuple[float, float]:
    """Seconds so far, of this process and those it has waited for."""
    return sum(os.times()[:4]), time.perf_counter()


@torch.inference_mode()
def separate(model: torch.nn.Module, items: PinnedMixtures) -> None:
    """Separates all items, eight at a time."""
    for start in range(0, len(items), 8):
        some = [items[index] for index in range(start, min(start + 8, len(items)))]
        separate_items(model, some, RATE)


def main() -> None:
    """Prints a row for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--network", choices=["none", *SIZES], default="mini")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, scorer = build(args.network), ClapScorer("mini")
    with tempfile.TemporaryDirectory() as name:
        items = write_list(Path(name), args.items)
        works = {f"{n} workers": n for n in args.workers}
        print("| | CPU, s an item | wall-clock, s an item |\n|-|-:|-:|")
        for title, workers in {"separating": None, **works}.items():
            before = cpu_and_wall()
            if workers is None:
                separate(model, items)
            else:
                evaluate(model, items, scorer=scorer, num_workers=workers)
            cpu, wall = (b - a for a, b in zip(before, cpu_and_wall(), strict=True))
            print(f"| {title} | {cpu / args.items:.3f} | {wall / args.items:.3f} |", flush=True)


if __name__ == "__main__":
    main()
