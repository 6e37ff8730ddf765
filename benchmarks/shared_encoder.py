"""What a training step costs when queries share the mixture's work.

Two captions and two phrases of each make six queries an example. *Shared* runs them in one pass of
`CondUNet`: the levels that do not see the query once a mixture, the first convolution of each
decoder level split into a part that all queries share and a part for each, the query's weights
folded into the last convolution. *Alone* runs the whole U-Net for each query, layer by layer, as
the paper writes it. Both have the same weights and give the same masks. *As trained* is shared,
with channels last in memory, as recipes train.

    python benchmarks/shared_encoder.py [--ngf 16] [--batch 2] [--repeats 5] [--precision bf16]
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from paired import ratio
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


def training_step(maskers: Iterable[CondUNet], masks: Callable[[], Tensor]) -> float:
    """Returns the seconds that a forward and a backward pass take."""
    for masker in maskers:
        masker.zero_grad(set_to_none=True)
    start = time.perf_counter()
    masks().float().square().mean().backward()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def short() -> dict[str, float]:
    """Time of a shared pass over one for each query, forwards, for `benchmarks.check`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    masker = CondUNet(ngf=8, num_downs=6).eval()
    query = random_query(1, NUM_QUERIES, masker.get_config())
    log_mag = torch.rand(1, 1, 256, 64)

    @torch.no_grad()
    def alone() -> None:
        for index in range(NUM_QUERIES):
            plain_unet(masker, log_mag, one_query(query, index))

    @torch.no_grad()
    def shared() -> None:
        masker(log_mag, query)

    return {"queries in one pass, each by itself = 1": ratio(shared, alone)}


def main() -> None:
    """Measures and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ngf", type=int, default=16)
    parser.add_argument("--num_downs", type=int, default=7)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), metavar=("F", "T"))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    args = parser.parse_args()
    torch.manual_seed(0)
    masker = CondUNet(ngf=args.ngf, num_downs=args.num_downs).to(args.device)
    query = random_query(args.batch, NUM_QUERIES, masker.get_config()).to(args.device)
    trained = copy.deepcopy(masker).to(memory_format=torch.channels_last)
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
        "as trained: shared, channels last": lambda: trained(log_mag, query),
    }
    half = torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16")
    for network in (masker, trained):
        network.eval()
    with half, torch.no_grad():
        results = [run() for run in systems.values()]
    for network in (masker, trained):
        network.train()
    rounds = []
    for _ in range(args.repeats + 1):  # in turns: a busy machine slows all of them alike
        with half:
            rounds.append([training_step((masker, trained), run) for run in systems.values()])
    report(args, list(systems), results, torch.tensor(rounds[1:]))


def report(
    args: argparse.Namespace, names: list[str], results: list[Tensor], seconds: Tensor
) -> None:
    """Prints the table.

    Args:
        args: the command line.
        names: what was measured, first that to compare with.
        results: masks of each.
        seconds: of each round and system.
    """
    shape = (args.batch, 1, *args.size)
    ratios = (seconds / seconds[:, :1]).median(dim=0).values
    print(
        f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} thread(s), "
        f"{args.precision}"
    )
    print(
        f"log-magnitudes {shape}, {NUM_QUERIES} queries each, ngf {args.ngf}, "
        f"{args.num_downs} levels; medians of {args.repeats} training steps"
    )
    print(f"{'':<42}{'s / step':>9}{'ratio':>7}{'largest difference':>20}")
    for index, name in enumerate(names):
        difference = (results[index] - results[0]).abs().max().item()
        middle = seconds[:, index].median().item()
        print(f"{name:<42}{middle:>9.3f}{ratios[index].item():>7.2f}{difference:>20.1e}")


if __name__ == "__main__":
    main()
