"""What a training step of the paper's network needs, with and without recomputed activations.

Memory is counted, not run: every tensor that a step makes on fake tensors, which have shapes and
no numbers. *Kept* is what the forward pass leaves for the backward pass, *peak* the most that is
there at once; both beside weights and optimiser, and without what kernels take for themselves.
`--time` runs steps, too, in turns, of a network that is small enough: ngf 32, 256 × 128.

    python benchmarks/step_memory.py [--size 512 512] [--batch 1] [--queries 6] [--time]
"""

from __future__ import annotations

import argparse

import torch
from paired import cpu_seconds
from shared_encoder import random_query

from asteroid_bimodal.engine.memory import masker_bytes
from asteroid_bimodal.masknn import CondUNet


def step_bytes(
    size: list[int], batch: int, queries: int, bf16: bool, recomputed: bool
) -> tuple[int, int]:
    """Bytes that are kept for the backward pass, and the peak of the step."""
    masker = CondUNet().to(memory_format=torch.channels_last)
    sizes = masker.get_config()
    dims = (queries, sizes["cond_dim"], sizes["pooled_dim"])
    return masker_bytes(masker, (batch, 1, *size), dims, bf16=bf16, recomputed=recomputed)


def step_times(bf16: bool, rounds: int = 3) -> list[float]:
    """Times of a step with recomputed activations over that of an ordinary one, in turns."""
    torch.manual_seed(0)
    masker = CondUNet(ngf=32).to(memory_format=torch.channels_last).train()
    query, log_mag = random_query(1, 6, masker.get_config()), torch.rand(1, 1, 256, 128)

    def step(recomputed: bool) -> None:
        masker.checkpoint_activations = recomputed
        masker.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            masks = masker(log_mag, query)
        masks.float().square().mean().backward()

    ratios = []
    for _ in range(rounds + 1):
        ordinary = cpu_seconds(lambda: step(False))
        ratios.append(cpu_seconds(lambda: step(True)) / ordinary)
    return ratios[1:]


def main() -> None:
    """Prints a row for each precision and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=[512, 512], metavar=("F", "T"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--queries", type=int, default=6)
    parser.add_argument("--time", action="store_true")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {args.size}, batch {args.batch}, {args.queries} queries")
    for bf16 in (False, True):
        for recomputed in (False, True):
            kept, peak = step_bytes(args.size, args.batch, args.queries, bf16, recomputed)
            way = f"{'bf16' if bf16 else 'fp32'}, {'recomputed' if recomputed else 'ordinary'}"
            print(
                f"{way:18} kept {kept / 2**30:6.2f} GiB, peak {peak / 2**30:6.2f} GiB", flush=True
            )
        if args.time:
            print("time ratios", [round(value, 2) for value in step_times(bf16)], flush=True)


if __name__ == "__main__":
    main()
