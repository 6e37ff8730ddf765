"""What the mini CLAP learns to hear: the miniatures, rendered in namespaces of their own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from miniatures import music, vggsound
from omegaconf import DictConfig

from asteroid_bimodal.utils.conf import load_conf

RECIPE = Path(__file__).parents[1]
SETS = {"music": music, "events": vggsound}


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
    if chosen.sounds not in SETS:
        raise ValueError(f"Expected --sounds of {', '.join(SETS)}, received {chosen.sounds!r}.")
    over = [RECIPE / "local/events.yml"] if chosen.sounds == "events" else []
    conf = load_conf([RECIPE / "local/conf.yml", *over], rest)
    unknown = set(conf.data.sets) - set(SETS)
    if unknown or not conf.data.sets:
        raise ValueError(f"Expected data.sets of {', '.join(SETS)}, received {conf.data.sets}.")
    return conf


def folders(conf: DictConfig, namespace: str) -> dict[str, Path]:
    """Says where each set of the configuration is rendered.

    Args:
        conf: the whole configuration.
        namespace: scorer, or separator for what only tests listen to.
    """
    root = RECIPE / conf.data.root
    names = {"music": namespace, "events": f"{namespace}_events"}
    return {name: root / names[name] for name in conf.data.sets}
