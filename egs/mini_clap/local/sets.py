"""What the mini CLAP learns to hear: the miniatures, rendered in namespaces of their own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from miniatures import music, vggsound
from omegaconf import DictConfig

from asteroid_bimodal.queries.vocabulary import Vocabulary, read_vocabulary
from asteroid_bimodal.utils.conf import load_conf

RECIPE = Path(__file__).parents[1]
SETS = {"music": music, "events": vggsound}
SHIPPED = "shipped"  # what egs/shipped has gathered: recordings and renderings of many sounds
CHOICES = (*SETS, SHIPPED)


def read_conf(options: Sequence[str]) -> DictConfig:
    """Reads local/conf.yml, the values of `--sounds` over it, and the options over both.

    Args:
        options: the command line.

    Raises:
        ValueError: for sounds, sets or keys that do not exist.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--sounds", default="music")
    chosen, rest = parser.parse_known_args(options)
    if chosen.sounds not in CHOICES:
        raise ValueError(f"Expected --sounds of {', '.join(CHOICES)}, received {chosen.sounds!r}.")
    over = [RECIPE / f"local/{chosen.sounds}.yml"] if chosen.sounds != "music" else []
    conf = load_conf([RECIPE / "local/conf.yml", *over], rest)
    unknown = set(conf.data.sets) - set(CHOICES)
    if unknown or not conf.data.sets:
        raise ValueError(f"Expected data.sets of {', '.join(CHOICES)}, received {conf.data.sets}.")
    return conf


def folders(conf: DictConfig, namespace: str) -> dict[str, Path]:
    """Says where each set of the configuration is rendered.

    Args:
        conf: the whole configuration.
        namespace: scorer, or separator for what only tests listen to.
    """
    root = RECIPE / conf.data.root
    names = {"music": namespace, "events": f"{namespace}_events", SHIPPED: "."}
    return {name: root / names[name] for name in conf.data.sets}


def vocabulary_of(conf: DictConfig) -> Vocabulary | None:
    """Reads the vocabulary that the configuration names, if it names one."""
    path = conf.data.vocabulary
    return read_vocabulary(RECIPE / path) if path else None
