"""What a training step costs when queries share the mixture's work.

Two captions and two phrases of each make six queries an example. *Shared* runs them in one pass of
`CondUNet`: the levels that do not see the query once a mixture, the first convolution of each
decoder level split into a part that all queries share and a part for each, the query's weights
folded into the last convolution. *Alone* runs the whole U-Net for each query, layer by layer, as
the paper writes it. Both have the same weights and give the same masks.

    python benchmarks/shared_encoder.py [--ngf 16] [--batch 2] [--repeats 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from asteroid_bimodal.masknn import CondUNet
from asteroid_bimodal.queries.base import QueryEmbedding

NUM_QUERIES = 6  # N = 2 captions, P = 2 phrases of each


def plain_unet(masker: CondUNet, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
    """Runs the U-Net of one query as the paper writes it, with the masker's weights.

    Shape:
        - log_mag: (B, 1, F, T)
        - query: Q = 1
        - returns: masks (B, 1, F, T)
    """
    flat = (query.tokens.flatten(0, 1), query.mask.flatten(0, 1), query.pooled.flatten(0, 1))
    x, skips = masker.input_norm(log_mag), []
    for level in masker.levels:
        x = level.down(x, *flat)
        skips.append(x)
    x = skips.pop()
    for level in reversed(masker.levels):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = level.up_conv(level.up_res(x))
        if level.up_norm is not None:
            x = torch.cat([skips.pop(), F.relu(level.up_norm(x))], dim=1)
    weights = masker.head.scale * torch.sigmoid(masker.head.weights(flat[2]))  # (B, out_dim)
    logits = torch.einsum("bc,bcft->bft", weights, x) + masker.head.bias
    return torch.sigmoid(logits).unsqueeze(1)


def random_query(batch: int, num_queries: int, config: dict, tokens: int = 12) -> QueryEmbedding:
    """Returns queries of random numbers, all tokens real."""
    shape = (batch, num_queries)
    return QueryEmbedding(
        tokens=torch.randn(*shape, tokens, config["cond_dim"]),
        mask=torch.ones(*shape, tokens, dtype=torch.bool),
        pooled=torch.randn(*shape, config["pooled_dim"]),
    )


def one_query(query: QueryEmbedding, index: int) -> QueryEmbedding:
    """Returns query `index` of every mixture."""
    part = slice(index, index + 1)
    return QueryEmbedding(query.tokens[:, part], query.mask[:, part], query.pooled[:, part])


def training_step(masker: CondUNet, masks: Callable[[], Tensor]) -> float:
    """Returns the seconds that a forward and a backward pass take."""
    masker.zero_grad(set_to_none=True)
    start = time.perf_counter()
    masks().square().mean().backward()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measures and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ngf", type=int, default=16)
    parser.add_argument("--num_downs", type=int, default=7)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), metavar=("F", "T"))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.manual_seed(0)
    masker = CondUNet(ngf=args.ngf, num_downs=args.num_downs).to(args.device)
    query = random_query(args.batch, NUM_QUERIES, masker.get_config()).to(args.device)
    queries = [one_query(query, index) for index in range(NUM_QUERIES)]
    log_mag = torch.rand(args.batch, 1, *args.size, device=args.device)
    systems = {
        "alone: each query runs the plain U-Net": lambda: torch.cat(
            [plain_unet(masker, log_mag, one) for one in queries], dim=1
        ),
        "alone: each query runs CondUNet": lambda: torch.cat(
            [masker(log_mag, one) for one in queries], dim=1
        ),
        "shared: CondUNet, all queries at once": lambda: masker(log_mag, query),
    }
    masker.eval()
    with torch.no_grad():
        results = [run() for run in systems.values()]
    masker.train()
    times = {name: [] for name in systems}
    for repeat in range(args.repeats + 1):
        for name, run in systems.items():  # in turns: a busy machine slows all of them alike
            seconds = training_step(masker, run)
            if repeat:
                times[name].append(seconds)
    report(args, systems, results, {name: median(values) for name, values in times.items()})


def report(
    args: argparse.Namespace,
    systems: dict[str, Callable],
    results: list[Tensor],
    seconds: dict[str, float],
) -> None:
    """Prints the table."""
    shape = (args.batch, 1, *args.size)
    print(f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} thread(s), float32")
    print(
        f"log-magnitudes {shape}, {NUM_QUERIES} queries each, ngf {args.ngf}, "
        f"{args.num_downs} levels; median of {args.repeats} steps"
    )
    print(f"{'':<42}{'s / step':>9}{'ratio':>7}{'largest difference':>20}")
    base = min(list(seconds.values())[:2])
    for name, result in zip(systems, results, strict=True):
        difference = (result - results[0]).abs().max().item()
        print(f"{name:<42}{seconds[name]:>9.3f}{seconds[name] / base:>7.2f}{difference:>20.1e}")


if __name__ == "__main__":
    main()
