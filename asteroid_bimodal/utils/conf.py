"""Configuration: YAML files merged in order, then options, checked against typed dataclasses.

The dataclasses say which keys there are and what they take; the values come from the files. A
configuration without dataclasses of its own is typed by its first file.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .files import atomic_write

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def key(
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: Sequence[str] | None = None,
    near: Mapping[str, str] | None = None,
    names: Mapping[str, Any] | Sequence[str] | None = None,
    short: str | None = None,
    formerly: Sequence[str] = (),
    default: Any = MISSING,
) -> Any:
    """A field of a configuration's dataclass, with what it may be."""
    # Numbers, also those of lists: `low` and `high` are allowed, `above` is not. Texts: `choices`,
    # and for other words the one that is `near`. Dictionaries: `names`, and of dataclasses the
    # field that a plain value stands for, `short`. `formerly`: other names that people look for.
    rules = {"low": low, "above": above, "high": high, "choices": choices, "near": near or {}}
    rules |= {"names": names, "short": short, "formerly": formerly}
    return field(default="???" if default is MISSING else default, metadata=rules)


@dataclass(frozen=True)
class _Leaf:
    """A value of a configuration: its type, and the rules of `key`."""

    kind: Any
    rules: Mapping[str, Any]


class Settings:
    """Collects the values of a configuration by path; typed by the first file without a schema."""

    def __init__(self, schema: type | None = None) -> None:
        self.schema = schema
        self.values: dict[str, Any] = {}

    def add_file(self, path: str | Path, skip: Callable[[str], bool] | None = None) -> None:
        """Puts the values of a YAML file over those there, but for the paths that `skip` names."""
        tree = _read_yaml(path)
        if self.schema is None:
            self.schema = _schema_of(tree)
        self._set_tree(tree, "", str(path), skip)

    def add_options(self, options: Sequence[str]) -> dict[str, tuple[Any, Any]]:
        """Puts options over the values that are there, after the files of `--config`.

        Options are `["--lr", "1e-3", "--masker.ngf=16"]`: a dotted path or, where only one leaf
        ends so, the end of one; dashes and underscores are the same. The text is taken as YAML, but
        literally for a text key. Returns the value before and after of each path that changed.
        """
        before, pairs = dict(self.values), list(_pairs(options))
        for name, text in pairs:
            if name == "config":
                self.add_file(text)
        for name, text in pairs:
            if name != "config":
                path = self._full_path(name)
                leaf = self._leaves().get(path)
                self._set(path, _read_text(name, text, leaf), f"--{name}")
        return {
            path: (before.get(path), value)
            for path, value in self.values.items()
            if before.get(path) != value
        }

    def build(self) -> Any:
        """Makes the configuration, an OmegaConf of the dataclass."""
        leaves = self._leaves().items()
        missing = [p for p, leaf in leaves if leaf.rules["required"] and p not in self.values]
        if missing:
            raise ValueError(f"{', '.join(missing)} has no value: set it in a file or an option.")
        tree: dict = {}
        for path, value in self.values.items():
            *parents, name = path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = value
        return OmegaConf.merge(OmegaConf.structured(self.schema), tree)

    def _leaves(self) -> dict[str, _Leaf]:
        return dict(_leaves_of(self.schema))

    def _full_path(self, name: str) -> str:
        """Finds the one leaf or section that an option means."""
        leaves = self._leaves()
        if name in leaves or any(path.startswith(f"{name}.") for path in leaves):
            return name
        matches = [path for path in leaves if path.endswith(f".{name}")]
        if len(matches) > 1:
            raise ValueError(f"--{name} may mean {' or '.join(matches)}: give the whole path.")
        inside = {p[: p.index(f".{name}.")] + f".{name}" for p in leaves if f".{name}." in p}
        return (matches or list(inside) or [name])[0]

    def _set_tree(
        self, tree: Mapping, prefix: str, source: str, skip: Callable[[str], bool] | None = None
    ) -> None:
        for name, value in tree.items():
            self._set(f"{prefix}{name}", value, source, skip)

    def _set(
        self, path: str, value: Any, source: str, skip: Callable[[str], bool] | None = None
    ) -> None:
        leaves = self._leaves()
        inside = [leaf for leaf in leaves if leaf.startswith(f"{path}.")]
        if path in leaves:
            if not (skip and skip(path)):
                self.values[path] = self._checked(path, leaves[path], value, source)
        elif not inside:
            raise ValueError(self._unknown(path, source))
        elif isinstance(value, Mapping):
            self._set_tree(value, f"{path}.", source, skip)
        elif short := leaves[inside[0]].rules.get("short_of", {}).get(path):
            self._set(short, value or 0, source, skip)  # null and false: off
        elif value is not None:  # an empty section changes nothing
            names = ", ".join(leaf[len(path) + 1 :] for leaf in inside[:3])
            raise ValueError(f"{path} is a section ({names}, …), not a value: received {value!r}.")

    def _checked(self, path: str, leaf: _Leaf, value: Any, source: str) -> Any:
        at = "" if source.startswith("--") else f" in {source}"
        try:
            value = _converted(leaf.kind, value)
        except TypeError:
            now = self.values.get(path)
            example = "" if now is None else f" such as {_shown(now)}"
            raise ValueError(
                f"{path} takes {_words(leaf.kind)}{example}; received {value!r}{at}."
            ) from None
        for part in value if isinstance(value, list) else [value]:
            if problem := _problem(leaf.rules, part):
                raise ValueError(f"{path} must be {problem}; received {_shown(value)}{at}.")
        return value

    def _unknown(self, path: str, source: str) -> str:
        leaves = self._leaves()
        last = path.split(".")[-1]
        hits = [name for name, leaf in leaves.items() if last in leaf.rules.get("formerly", ())]
        hits += difflib.get_close_matches(path, _sections(leaves), 1)
        ends = {name.split(".")[-1]: name for name in _sections(leaves)}
        hits += [ends[end] for end in difflib.get_close_matches(last, ends, 1)]
        hint = f" Did you mean {hits[0]}?" if hits else ""
        return f"Unknown key {path!r} in {source}.{hint} Known: local/conf.yml."


def load_conf(
    files: Sequence[str | Path], options: Sequence[str] = (), *, schema: type | None = None
) -> Any:
    """Merges YAML files, later ones over earlier ones, and command-line options over all.

    The keys are those of `schema`, a dataclass, or else of the first file. A ValueError names a
    key that does not exist, with the nearest one that does, and a value that its key cannot take.
    """
    settings = Settings(schema)
    for path in files:
        settings.add_file(path)
    settings.add_options(options)
    return settings.build()


def leaf_keys(conf: DictConfig | dict, prefix: str = "") -> list[str]:
    """Lists the dotted paths of all leaves, each behind `prefix`."""
    tree = OmegaConf.to_container(conf) if isinstance(conf, DictConfig) else conf
    keys: list[str] = []
    for name, value in tree.items():
        path = f"{prefix}{name}"
        keys += leaf_keys(value, f"{path}.") if isinstance(value, dict) else [path]
    return keys


def describe_changes(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Says what options changed, a line each: `optim.lr 0.002 → 0.0003`."""
    lines = (f"{path} {_shown(old)} → {_shown(new)}" for path, (old, new) in changes.items())
    return "\n".join(lines)


def plain_names(options: Sequence[str]) -> list[str]:
    """Writes the names of the options of a command line with underscores."""
    return [_plain_name(text) if text.startswith("--") else text for text in options]


def save_conf(conf: DictConfig, path: str | Path) -> None:
    """Writes a configuration as YAML, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(OmegaConf.to_yaml(conf, resolve=True), encoding="utf-8")


def _leaves_of(kind: Any, prefix: str = "") -> Iterator[tuple[str, _Leaf]]:
    hints = get_type_hints(kind)
    for one in fields(kind):
        path, hint, rules = f"{prefix}{one.name}", hints[one.name], dict(one.metadata)
        if is_dataclass(hint):
            yield from _leaves_of(hint, f"{path}.")
        elif get_origin(hint) is dict:
            _, inner = get_args(hint)
            for name in rules.pop("names"):
                if is_dataclass(inner):
                    place = f"{path}.{name}"
                    short = {"short_of": {place: f"{place}.{rules['short']}"}}
                    for end, leaf in _leaves_of(inner, f"{place}."):
                        yield end, _Leaf(leaf.kind, {**leaf.rules, **short})
                else:
                    yield f"{path}.{name}", _Leaf(inner, {**rules, "required": False})
        else:
            yield path, _Leaf(hint, {**rules, "required": one.default == "???"})


def _sections(leaves: Mapping[str, _Leaf]) -> list[str]:
    """The leaves, and the places that a plain value may stand for, which come first."""
    shorts = {place for leaf in leaves.values() for place in leaf.rules.get("short_of", {})}
    return [*shorts, *leaves]


def _schema_of(tree: Mapping, name: str = "Conf") -> type:
    """Makes the dataclass of a file: what is null there may become anything."""
    made = []
    for label, value in tree.items():
        if isinstance(value, dict):
            inner = _schema_of(value, label.title())
            made.append((label, inner, field(default_factory=inner)))
        else:
            kind = Any if value is None else list[Any] if isinstance(value, list) else type(value)
            made.append((label, kind, key()))
    return make_dataclass(name, made)


def _read_yaml(path: str | Path) -> dict:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no configuration {path}.")
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise ValueError(f"{path} holds a {type(tree).__name__} instead of keys with values.")
    return tree


def _read_text(name: str, text: str, leaf: _Leaf | None) -> Any:
    """Reads an option's value: as text where the key takes text, otherwise as YAML."""
    kinds = (get_args(leaf.kind) or (leaf.kind,)) if leaf else ()
    if str in kinds and not (NoneType in kinds and text == "null"):
        return text
    try:
        value = OmegaConf.from_dotlist([f"value={text}"]).value
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(
            f"--{name} takes a value such as 3, true or [1,2]; received {text!r}."
        ) from error
    return OmegaConf.to_container(value) if isinstance(value, DictConfig | ListConfig) else value


def _pairs(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Splits `--key value` and `--key=value`."""
    rest = plain_names(options)
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            raise ValueError(f"{option!r} is no option: options begin with two dashes, as --lr.")
        name, equals, value = option[2:].partition("=")
        if not equals:
            if not rest:
                raise ValueError(f"{option} needs a value.")
            value = rest.pop(0)
        yield name, value


def _plain_name(option: str) -> str:
    name, equals, value = option.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}"


def _converted(kind: Any, value: Any) -> Any:
    """Takes a value as a type, or raises `TypeError`; a number may stand for text."""
    if kind is Any:
        return value
    if get_origin(kind) in (Union, UnionType):
        if value is None and NoneType in get_args(kind):
            return None
        for option in get_args(kind):
            try:
                return _converted(option, value)
            except TypeError:
                continue
    elif get_origin(kind) is list and isinstance(value, list):
        return [_converted(get_args(kind)[0], part) for part in value]
    elif isinstance(value, bool):
        if kind is bool:
            return value
    elif kind is str and isinstance(value, str | int | float):
        return str(value)
    elif kind is float and isinstance(value, int | float):
        return float(value)
    elif kind is int and isinstance(value, int):
        return value
    raise TypeError


def _problem(rules: Mapping[str, Any], value: Any) -> str | None:
    """What a value must be and is not."""
    if isinstance(value, str) and (choices := rules.get("choices")):
        if value in choices:
            return None
        nearest = rules["near"].get(value) or next(
            iter(difflib.get_close_matches(value.lower(), choices, 1, cutoff=0.0)), choices[0]
        )
        return f"one of {', '.join(choices)} (nearest: {nearest})"
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, above, high = (rules.get(name) for name in ("low", "above", "high"))
        if low is not None and not value >= low:
            return f"at least {low}"
        if above is not None and not value > above:
            return f"above {above}"
        if high is not None and not value <= high:
            return f"at most {high}"
    return None


def _words(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_words(part) for part in get_args(kind))
    if get_origin(kind) is list:
        return "a list"
    return "null" if kind is NoneType else _WORDS.get(kind, "a value")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
