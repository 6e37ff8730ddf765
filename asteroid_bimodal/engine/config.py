"""The configuration of a recipe's run: the files it is merged from, and what must fit together."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ..utils.conf import Settings, plain_names
from .schema import LOGGERS, Config

BASE = "music"  # the recipe beside the others whose configuration they start from


def recipe_conf(recipe: str | Path, options: Sequence[str]) -> Config:
    """Reads the configuration of a run: conf.yml, the system, the data set, then the options.

    What a recipe's own files leave out is as in egs/music, whose local/conf.yml has every key.

    Args:
        recipe: folder of the recipe, with local/<data>.yml.
        options: `["--data", "mini", "--system", "clapsep", "--lr", "1e-3"]`; `--config FILE` puts a
            YAML file between the others and the options.

    Returns:
        The merged and checked configuration: an OmegaConf of the dataclass, with its attributes.

    Raises:
        ValueError: for a system, data set or key that does not exist, and a value it cannot have.
    """
    return read_recipe(recipe, options)[0]


def read_recipe(
    recipe: str | Path, options: Sequence[str]
) -> tuple[Config, dict[str, tuple[Any, Any]]]:
    """Reads the configuration of a run, as `recipe_conf`; also returns what the options changed."""
    recipe = Path(recipe)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data", default="mini")
    parser.add_argument("--system", default="bimodal_clap")
    chosen, rest = parser.parse_known_args(plain_names(options))
    systems = {path.stem: path for path in (recipe / "../../conf/systems").glob("*.yml")}
    datasets = {path.stem: path for path in (recipe / "local").glob("*.yml") if path.stem != "conf"}
    own = _choose("data set", chosen.data, datasets)
    settings = Settings(Config)
    for path in [*_layers(recipe, "conf.yml"), _choose("system", chosen.system, systems)]:
        settings.add_file(path)

    def is_fixed(key: str) -> bool:
        """A data set adds no term to a system's loss, and moves no start that the system sets."""
        known = key in settings.values
        return key.startswith("loss.") and (known if key.endswith(".start") else not known)

    for path in _layers(recipe, own.name):
        settings.add_file(path, skip=is_fixed)
    changes = settings.add_options(rest)
    conf = settings.build()
    conf.loss = {name: term for name, term in conf.loss.items() if term.weight}
    check(conf)
    # Relative, so that no experiment tells where on a machine it was made.
    for place in (conf.data, conf.data.clean):
        if place.root and not Path(place.root).is_absolute():
            place.root = os.path.relpath(recipe / place.root)
    return conf, changes


def check(conf: Config) -> None:
    """Raises `ValueError` where values that are possible alone do not fit together."""
    for find in (_sources, _heads, _noise_heads, _losses, _epoch, _devices, _logger):
        if problem := find(conf):
            raise ValueError(problem)


def _layers(recipe: Path, name: str) -> list[Path]:
    """The files of a name that hold for a recipe, its own last."""
    folders = dict.fromkeys([recipe.resolve().parent / BASE, recipe.resolve()])
    return [path for folder in folders if (path := folder / "local" / name).is_file()]


def _choose(kind: str, name: str, known: dict[str, Path]) -> Path:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"There is no {kind} {name!r}; choose {', '.join(sorted(known))}.{hint}")


def _sources(conf: Config) -> str | None:
    most = conf.data.max_n_src
    if most is None or conf.data.n_src <= most:
        return None
    return (
        f"The system {conf.system} takes an --n_src of at most {most}; received {conf.data.n_src}. "
        "Choose another system for mixtures of more sources."
    )


def _heads(conf: Config) -> str | None:
    width, heads = 8 * conf.masker.ngf, conf.masker.num_heads
    attends = conf.masker.cond_layer in ("sca", "ca", "sa")
    if conf.separator != "bimodal_unet" or not attends or width % heads == 0:
        return None
    nearest = min((n for n in range(1, width + 1) if width % n == 0), key=lambda n: abs(n - heads))
    return (
        f"masker.num_heads must divide the {width} channels of the inner levels (8 · masker.ngf); "
        f"received {heads} (nearest: {nearest})."
    )


def _noise_heads(conf: Config) -> str | None:
    heads, wanted = conf.sound_unet.num_noise, conf.data.n_mix
    if "nit" not in conf.loss or (conf.separator == "clipsep" and heads == wanted):
        return None
    return (
        f"The loss term nit needs the separator clipsep with {wanted} noise heads "
        f"(sound_unet.num_noise), one for each mixture; received {conf.separator} with {heads}."
    )


def _losses(conf: Config) -> str | None:
    if any(term.start == 0 for term in conf.loss.values()):
        return None
    starts = {name: term.start for name, term in conf.loss.items()}
    return f"No loss term counts from the first step: give one a weight and the start 0. {starts}"


def _epoch(conf: Config) -> str | None:
    if conf.data.epoch_size >= conf.training.batch_size:
        return None
    return (
        f"An epoch of {conf.data.epoch_size} examples does not fill a batch of "
        f"{conf.training.batch_size}: raise data.epoch_size or lower training.batch_size."
    )


def _devices(conf: Config) -> None:
    count_devices(conf.training.devices, conf.training.accelerator)


def _logger(conf: Config) -> str | None:
    installed = [name for name, (_, package) in LOGGERS.items() if find_spec(package)]
    name = conf.training.logger
    if name in installed:
        return None
    return (
        f"training.logger {name} needs the package {LOGGERS[name][1]}: install it with pip, or "
        f"choose {' or '.join(installed)}."
    )


def count_devices(devices: str, accelerator: str) -> int:
    """Counts the devices that each node trains on.

    Args:
        devices: a number, "auto" or "-1" for all, or GPU ids such as "0,1".
        accelerator: cpu, gpu or auto.

    Raises:
        ValueError: for another text.

    Examples:
        >>> count_devices("2", "cpu"), count_devices("0,2,3", "gpu")
        (2, 3)
    """
    if devices in ("auto", "-1"):
        return 1 if accelerator == "cpu" else max(1, torch.cuda.device_count())
    ids = [part.strip() for part in devices.split(",") if part.strip()]
    if not ids or not all(part.isdigit() for part in ids):
        raise ValueError(
            f"training.devices takes a number, GPU ids such as 0,1 or auto; received {devices!r}."
        )
    return len(ids) if "," in devices else int(devices)
