"""Configuration: YAML files merged in order, then `--key value` from the command line.

Asteroid's `prepare_parser_from_dict` takes two levels and splits lists by character. Here OmegaConf
merges and types; this file adds Asteroid's short `--key` for every leaf whose name is unique.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .files import atomic_write


def load_conf(files: Sequence[str | Path], options: Sequence[str] = ()) -> DictConfig:
    """Merges YAML files, later ones over earlier ones, and command-line options over all.

    The first file defines which keys exist, and which may be null (those that are null there); what
    follows may change their values, not add keys.

    Args:
        files: YAML files.
        options: `["--lr", "1e-3", "--masker.ngf", "16"]`: a dotted path or, where only one leaf
            ends so, the end of one. The text is taken as YAML, but literally for a text key.

    Returns:
        The merged configuration.

    Raises:
        FileNotFoundError: when a file is missing.
        ValueError: for a key that does not exist (naming the nearest one that does), an option
            without a value, or a value of the wrong form.

    Examples:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "conf.yml"
        >>> _ = path.write_text("optim: {lr: 1.0e-4}")
        >>> load_conf([path], ["--lr", "1e-3"]).optim.lr
        0.001
    """
    conf = _read_yaml(files[0])
    nullable = {key for key in leaf_keys(conf) if OmegaConf.select(conf, key) is None}
    for path in files[1:]:
        addition = _read_yaml(path)
        for key in leaf_keys(addition):
            value = OmegaConf.to_container(addition, resolve=False)
            _set(conf, key, _follow(value, key), str(path), nullable)
    for name, text in _pairs(options):
        key = _full_key(conf, name)
        literal = key in leaf_keys(conf) and isinstance(OmegaConf.select(conf, key), str)
        value = text if literal else _parse(name, text)
        _set(conf, key, value, "the command line", nullable)
    return conf


def leaf_keys(conf: DictConfig | dict, prefix: str = "") -> list[str]:
    """Lists the dotted paths of all leaves.

    Args:
        conf: a configuration.
        prefix: put before each path.

    Examples:
        >>> leaf_keys({"a": {"b": 1, "c": 2}, "d": 3})
        ['a.b', 'a.c', 'd']
    """
    tree = OmegaConf.to_container(conf) if isinstance(conf, DictConfig) else conf
    keys: list[str] = []
    for name, value in tree.items():
        path = f"{prefix}{name}"
        keys += leaf_keys(value, f"{path}.") if isinstance(value, dict) else [path]
    return keys


def save_conf(conf: DictConfig, path: str | Path) -> None:
    """Writes a configuration as YAML, atomically.

    Args:
        conf: what to write.
        path: the file.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(OmegaConf.to_yaml(conf, resolve=True), encoding="utf-8")


def _read_yaml(path: str | Path) -> DictConfig:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a configuration at {path}, found no such file.")
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ValueError(f"Expected YAML in {path}: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise ValueError(f"Expected keys with values in {path}, found a {type(tree).__name__}.")
    return OmegaConf.create(tree)


def _parse(name: str, text: str) -> object:
    """Reads a value as YAML: numbers, true, null, lists."""
    try:
        return OmegaConf.from_dotlist([f"value={text}"]).value
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(
            f"Expected a value such as 3, true or [1,2] after --{name}, received {text!r}."
        ) from error


def _follow(tree: dict, key: str) -> object:
    for name in key.split("."):
        tree = tree[name]
    return tree


def _pairs(options: Sequence[str]) -> list[tuple[str, str]]:
    """Splits `--key value` and `--key=value`."""
    pairs, rest = [], list(options)
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            raise ValueError(f"Expected an option such as --lr, received {option!r}.")
        name, equals, value = option[2:].partition("=")
        if not equals:
            if not rest:
                raise ValueError(f"Expected a value after {option}, received none.")
            value = rest.pop(0)
        pairs.append((name, value))
    return pairs


def _full_key(conf: DictConfig, name: str) -> str:
    """Finds the one leaf that an option means."""
    keys = leaf_keys(conf)
    if name in keys:
        return name
    matches = [key for key in keys if key.endswith(f".{name}")]
    if len(matches) > 1:
        raise ValueError(f"--{name} may mean {' or '.join(matches)}: give the whole path.")
    return matches[0] if matches else name


def _set(conf: DictConfig, key: str, value: object, source: str, nullable: Collection[str]) -> None:
    keys = leaf_keys(conf)
    if key not in keys:
        leaves = {leaf.split(".")[-1]: leaf for leaf in keys}
        near = difflib.get_close_matches(key, keys, 1) or [
            leaves[leaf] for leaf in difflib.get_close_matches(key.split(".")[-1], leaves, 1)
        ]
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"Unknown key {key!r} in {source}.{hint} Known: local/conf.yml.")
    old = OmegaConf.select(conf, key)
    if isinstance(old, str) and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # `devices: 2`, `precision: 32`
    if not (key in nullable if value is None else _same_kind(old, value)):
        raise ValueError(f"Expected {key} to be like {old!r}, received {value!r} from {source}.")
    try:
        OmegaConf.update(conf, key, type(old)(value) if isinstance(old, float) else value)
    except OmegaConfBaseException as error:
        raise ValueError(f"Cannot set {key} to {value!r}: {error}") from error


def _same_kind(old: object, new: object) -> bool:
    """A number stays a number, a switch a switch, a list a list; None may become anything."""
    if old is None:
        return True
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    if isinstance(old, float):
        return isinstance(new, int | float)
    if isinstance(old, ListConfig):
        return isinstance(new, list | ListConfig)
    return isinstance(new, type(old))
