"""What a training step of the paper's network needs, with and without recomputed activations.

Memory is counted, not run: every tensor that a step makes on fake tensors, which have shapes and
no numbers. *Kept* is what the forward pass leaves for the backward pass, *peak* the most that is
there at once; both beside weights and optimiser, and without what kernels take for themselves.
`--time` runs steps, too, in turns, of a network that is small enough: ngf 32, 256 × 128.

    python benchmarks/step_memory.py [--size 512 512] [--batch 1] [--queries 6] [--time]
"""

from __future__ import annotations

import argparse
import weakref
from typing import Any

import torch
from paired import cpu_seconds
from shared_encoder import random_query
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from asteroid_bimodal.masknn import CondUNet


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors made under it, as they come and go.

    Args:
        known: tensors that were there before.
    """

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation and notes what it made."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self.sizes:
            self.sizes[storage._cdata] = storage.nbytes()
            self.now += storage.nbytes()
            weakref.finalize(storage, self._drop, storage._cdata)

    def _drop(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


def step_bytes(
    size: list[int], batch: int, queries: int, bf16: bool, recomputed: bool
) -> tuple[int, int]:
    """Bytes that are kept for the backward pass, and the peak of the step."""
    with FakeTensorMode():
        masker = CondUNet().train()
        masker.checkpoint_activations = recomputed
        for module in masker.modules():
            if isinstance(module, torch.nn.Conv2d):
                weight = module.weight.detach().contiguous(memory_format=torch.channels_last)
                module.weight = torch.nn.Parameter(weight)
        query = random_query(batch, queries, masker.get_config())
        log_mag = torch.rand(batch, 1, *size)
        for weight in masker.parameters():
            weight.grad = torch.zeros_like(weight)
        with LiveBytes([*masker.parameters(), *masker.buffers()]) as live:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                masks = masker(log_mag, query)
            kept = live.now
            masks.float().square().mean().backward()
        return kept, live.peak


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
