"""What `LightUNet` costs, beside `CondUNet`, with the sizes of the MUSIC recipe.

A training step with six queries for each example, in bfloat16 where a recipe would train in it, and
the masks of a longer mixture for one and for ten queries. CPU times in turns.

    python benchmarks/maskers.py [--data mini] [--rounds 5]
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from paired import medians
from shared_encoder import random_query
from torch import nn

from asteroid_bimodal.engine.build import SEPARATORS
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.engine.trainer import choose_precision

RECIPE = Path(__file__).parents[1] / "egs" / "music"
NUM_TRAINED, NUM_ASKED = 6, 10  # queries


def build(separator: str, data: str) -> nn.Module:
    """The masker of a separator, as a recipe builds it."""
    conf = recipe_conf(RECIPE, ["--data", data])
    kind, section = SEPARATORS[separator]
    masker = kind.masker_class(cond_dim=768, pooled_dim=512, **conf[section])
    return masker.to(memory_format=torch.channels_last)


def step(masker: nn.Module, size: tuple[int, int], batch: int) -> None:
    """A forward and a backward pass."""
    query = random_query(batch, NUM_TRAINED, masker.get_config())
    half = choose_precision("auto") == "bf16-mixed"
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        masks = masker.train()(torch.rand(batch, 1, *size), query)
    masks.float().square().mean().backward()
    masker.zero_grad()


@torch.no_grad()
def separate(masker: nn.Module, size: tuple[int, int], num_queries: int) -> None:
    """The masks of one mixture."""
    query = random_query(1, num_queries, masker.get_config())
    masker.eval()(torch.rand(1, 1, *size), query)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mini", choices=("mini", "full"))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.manual_seed(0)
    size, batch = ((256, 64), 8) if args.data == "mini" else ((512, 512), 1)
    longer = (size[0], 640)
    maskers = {name: build(name, args.data) for name in ("bimodal_unet", "light_bimodal_unet")}
    works = {}
    for name, masker in maskers.items():
        works[name, "step"] = partial(step, masker, size, batch)
        works[name, "one"] = partial(separate, masker, longer, 1)
        works[name, "ten"] = partial(separate, masker, longer, NUM_ASKED)
    seconds = medians(works, args.rounds)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), {args.data}")
    print(f"{'':<22}{'weights':>9}{'step s':>9}{'ratio':>7}{'1 query':>9}{'10':>9}{'ratio':>7}")
    for name, masker in maskers.items():
        weights = sum(weight.numel() for weight in masker.parameters()) / 1e6
        own, one, ten = (seconds[name, work] for work in ("step", "one", "ten"))
        relative = own / seconds["bimodal_unet", "step"]
        print(
            f"{name:<22}{weights:>8.2f}M{own:>9.3f}{relative:>7.2f}{one:>9.3f}{ten:>9.3f}"
            f"{ten / one:>7.2f}"
        )


if __name__ == "__main__":
    main()
