"""The pinned 2-source test list of a recipe, for the benchmarks that ask models about it."""

from __future__ import annotations

import argparse
from pathlib import Path

from omegaconf import DictConfig

from asteroid_bimodal.data.datasets import EvaluationItem, PinnedMixtures
from asteroid_bimodal.engine.loaders import build_test_set
from asteroid_bimodal.engine.recipe import recipe_conf

RECIPES = Path(__file__).parents[1] / "egs"


def pinned_parser(model: str = "mini", recipe: str = "music") -> argparse.ArgumentParser:
    """The options that say which model is asked about whose list; others are the recipe's."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", default=model)
    parser.add_argument("--recipe", default=recipe, help="whose list; a folder of egs")
    return parser


def read_pinned(args: argparse.Namespace, rest: list[str]) -> tuple[DictConfig, PinnedMixtures]:
    """Reads a recipe's configuration and its list.

    Args:
        args: of a `pinned_parser`.
        rest: options that it does not know.
    """
    conf = recipe_conf(RECIPES / args.recipe, rest)
    return conf, build_test_set(conf, "test", 2)


def scorable(items: PinnedMixtures) -> list[EvaluationItem]:
    """The items whose audio is there."""
    return [item for item in map(items.__getitem__, range(len(items))) if not item.skipped]
