"""Configuration: YAML files merged in order, then options, checked against typed dataclasses.

The dataclasses say which keys there are and what they take; the values come from the files. A
configuration without dataclasses of its own is typed by its first file.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from .files import atomic_write
from .mappings import read_mapping

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_FEW = 8  # choices that a sentence lists
_OWN_KEY = re.compile(r"\$\{\.*\w[\w.]*\}")  # ${data.root}


def key(default: Any = MISSING, **rules: Any) -> Any:
    """A field of a configuration's dataclass, with what it may be."""
    # Numbers, also those of lists: `low` and `high` are allowed, `above` is not. Texts: `choices`,
    # and for other words the one that is `near`. Dictionaries: `names`, and of dataclasses the
    # field that a plain value stands for, `short`. `formerly`: other names that people look for.
    return field(default="???" if default is MISSING else default, metadata=rules)


class _Leaf(NamedTuple):
    """A value of a configuration: its type and rules, and the section that it stands for."""

    kind: Any
    rules: Mapping[str, Any] = {}
    required: bool = False
    section: str | None = None


class Settings:
    """Collects the values of a configuration by path; typed by the first file without a schema."""

    def __init__(self, schema: type | None = None) -> None:
        self.schema = schema
        self.leaves = {} if schema is None else _leaves_of(schema)
        self.values: dict[str, Any] = {}
        self.typed: set[str] = set()  # paths whose values came from the command line itself

    def add_file(self, path: str | Path, skip: Callable[[str], bool] | None = None) -> None:
        """Puts the values of a YAML file over those there, but for the paths that `skip` names."""
        tree = _read_file(path, _OWN_KEY)
        if not self.leaves:
            self.leaves = {name: _Leaf(_kind_of(value)) for name, value in _flat(tree)}
        for name, value in tree.items():
            self._set(name, value, str(path), skip)

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
                self.typed.add(path)
                self._set(path, _read_text(name, text, self.leaves.get(path)), f"--{name}")
        return {
            path: (before.get(path), value)
            for path, value in self.values.items()
            if before.get(path) != value
        }

    def build(self) -> Any:
        """Makes the configuration, an OmegaConf of the dataclass."""
        missing = [p for p, leaf in self.leaves.items() if leaf.required and p not in self.values]
        if missing:
            raise ValueError(f"{', '.join(missing)} has no value: set it in a file or an option.")
        conf = OmegaConf.create()
        for path, value in self.values.items():
            OmegaConf.update(conf, path, value)
        return OmegaConf.merge(OmegaConf.structured(self.schema), conf) if self.schema else conf

    def _full_path(self, name: str) -> str:
        """Finds the one leaf or section that an option means."""
        if name in self.leaves or any(path.startswith(f"{name}.") for path in self.leaves):
            return name
        matches = [path for path in self.leaves if path.endswith(f".{name}")]
        if len(matches) > 1:
            raise ValueError(f"--{name} may mean {' or '.join(matches)}: give the whole path.")
        inside = (path.partition(f".{name}.") for path in self.leaves)
        sections = [f"{start}.{name}" for start, found, _ in inside if found]
        return (matches or sections or [name])[0]

    def _set(
        self, path: str, value: Any, source: str, skip: Callable[[str], bool] | None = None
    ) -> None:
        inside = [leaf for leaf in self.leaves if leaf.startswith(f"{path}.")]
        if path in self.leaves:
            if not (skip and skip(path)):
                self.values[path] = self._checked(path, value, source)
        elif not inside:
            raise ValueError(self._unknown(path, source))
        elif isinstance(value, Mapping):
            for name, part in value.items():
                self._set(f"{path}.{name}", part, source, skip)
        elif short := [leaf for leaf in inside if self.leaves[leaf].section == path]:
            self._set(short[0], value or 0, source, skip)  # null and false: off
        elif value is not None:  # an empty section changes nothing
            names = ", ".join(leaf[len(path) + 1 :] for leaf in inside[:3])
            raise ValueError(f"{path} is a section ({names}, …), not a value: received {value!r}.")

    def _checked(self, path: str, value: Any, source: str) -> Any:
        leaf, at = self.leaves[path], "" if source.startswith("--") else f" in {source}"
        try:
            value = _converted(leaf.kind, value)
        except OmegaConfBaseException:
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
        last = path.split(".")[-1]
        # Places that a plain value may be given come first.
        places = [leaf.section for leaf in self.leaves.values() if leaf.section]
        places += self.leaves
        ends = {place.split(".")[-1]: place for place in places}
        hits = [n for n, leaf in self.leaves.items() if last in leaf.rules.get("formerly", ())]
        hits += difflib.get_close_matches(path, places, 1)
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


def read_conf(path: str | Path) -> DictConfig:
    """Reads what `save_conf` wrote, plain values alone; a ValueError says what else a file is."""
    return OmegaConf.create(_read_file(path, re.compile(r"(?!)")))


def leaf_keys(conf: DictConfig | dict) -> list[str]:
    """Lists the dotted paths of all leaves."""
    return [path for path, _ in _flat(OmegaConf.to_container(OmegaConf.create(conf)))]


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


def _leaves_of(schema: Any, prefix: str = "") -> dict[str, _Leaf]:
    hints, found = get_type_hints(schema), {}
    for one in fields(schema):
        path, hint, rules = f"{prefix}{one.name}", hints[one.name], one.metadata
        if is_dataclass(hint):
            found |= _leaves_of(hint, f"{path}.")
        elif get_origin(hint) is not dict:
            found[path] = _Leaf(hint, rules, required=one.default == "???")
        elif is_dataclass(inner := get_args(hint)[1]):
            for place in (f"{path}.{name}" for name in rules["names"]):
                found |= _leaves_of(inner, f"{place}.")
                short = f"{place}.{rules['short']}"
                found[short] = found[short]._replace(section=place)
        else:
            found |= {f"{path}.{name}": _Leaf(inner, rules) for name in rules["names"]}
    return found


def _flat(tree: Mapping, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _kind_of(value: Any) -> Any:
    """The type of a first file's value: what is null there may become anything."""
    return Any if value is None else list[Any] if isinstance(value, list) else type(value)


def _read_file(path: str | Path, references: re.Pattern[str]) -> dict:
    """Reads a YAML file whose values refer to nothing but what a pattern allows."""
    tree = read_mapping(path)
    for name, value in _flat(tree):
        if "${" in references.sub("", str(value)):
            raise ValueError(
                f"{name} in {path} is {_shown(value)}, and a file may not look up anything outside "
                "of it: write the value, or give it as an option."
            )
    return tree


def _read_text(name: str, text: str, leaf: _Leaf | None) -> Any:
    """Reads an option's value: as text where the key takes text, otherwise as YAML."""
    kind = leaf.kind if leaf else None
    kinds = (kind,) if get_origin(kind) is list else (*get_args(kind), kind)
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
    rest = iter(plain_names(options))
    for option in rest:
        if not option.startswith("--"):
            raise ValueError(f"{option!r} is no option: options begin with two dashes, as --lr.")
        name, equals, value = option[2:].partition("=")
        value = value if equals else next(rest, None)
        if value is None:
            raise ValueError(f"{option} needs a value.")
        yield name, value


def _plain_name(option: str) -> str:
    name, equals, value = option.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}"


def _converted(kind: Any, value: Any) -> Any:
    """Takes a value as OmegaConf takes it for a field of a type, but 0 and 1 are no booleans."""
    if isinstance(value, bool) != (kind is bool) and kind is not Any:
        raise ValidationError
    conf = OmegaConf.structured(make_dataclass("Field", [("value", kind)]))
    OmegaConf.update(conf, "value", value)
    return OmegaConf.to_container(conf)["value"]


def _problem(rules: Mapping[str, Any], value: Any) -> str | None:
    """What a value must be and is not."""
    if isinstance(value, str) and (choices := rules.get("choices")) and value not in choices:
        near = difflib.get_close_matches(value.lower(), choices, 4, cutoff=0.0)
        nearest = rules.get("near", {}).get(value, near[0])
        shown = choices if len(choices) <= _FEW else [*near, "…"]
        return f"one of {', '.join(shown)} (nearest: {nearest})"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "low" in rules and not value >= rules["low"]:
            return f"at least {rules['low']}"
        if "above" in rules and not value > rules["above"]:
            return f"above {rules['above']}"
        if "high" in rules and not value <= rules["high"]:
            return f"at most {rules['high']}"
    return None


def _words(kind: Any) -> str:
    if get_origin(kind) is list:
        return "a list"
    if parts := get_args(kind):
        return " or ".join(_words(part) for part in parts)
    return "null" if kind is NoneType else _WORDS.get(kind, "a value")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
