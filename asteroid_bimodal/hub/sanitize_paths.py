"""Copies the files of an experiment without the absolute paths of the machine it ran on."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..queries.spec import ENCODERS, EncoderSpec
from ..utils.clap import LAION
from ..utils.mappings import read_mapping

_MAPPINGS = (".yml", ".json")


def copy_sanitized(
    exp_dir: Path, folder: Path, conf: Mapping[str, Any], patterns: Iterable[str]
) -> None:
    """Copies files; of absolute paths in the configuration, only the last component stays."""
    sanitize = path_sanitizer(conf, exp_dir)
    for path in (path for pattern in patterns for path in exp_dir.glob(pattern)):
        target = folder / path.name
        if path.suffix in _MAPPINGS:
            content = read_dict(path)
            clean = sanitize(content)
            if clean != content:
                target.write_text(_dump(clean, path.suffix), encoding="utf-8")
                continue
        elif path.suffix == ".html":
            target.write_text(sanitize(path.read_text(encoding="utf-8")), encoding="utf-8")
            continue
        shutil.copyfile(path, target)


def path_sanitizer(conf: Mapping[str, Any], exp_dir: Path) -> Callable[[Any], Any]:
    """Returns a function that shortens the absolute paths of `conf` in any nested value.

    Examples:
        >>> conf = {"scorer": {"name": "/home/me/clap"}, "query": "resnet:/home/me/resnet|56"}
        >>> path_sanitizer(conf, Path("exp"))(conf)
        {'scorer': {'name': 'clap'}, 'query': 'resnet:resnet|56'}
    """
    paths = [path.rstrip("/") for path in (*_absolute_paths(conf), str(exp_dir.resolve()))]
    names = {path: Path(path).name for path in paths if Path(path).name}
    names |= {html.escape(path): html.escape(name) for path, name in names.items()}
    longest_first = sorted(names, key=len, reverse=True)
    # Whole paths only: a short one may occur inside base64 by chance.
    known = re.compile(rf"(?<![\w+/.-])({'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)")

    def sanitize(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: sanitize(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [sanitize(inner) for inner in value]
        return known.sub(lambda m: names[m[0]], value) if isinstance(value, str) else value

    return sanitize


def read_dict(path: Path) -> dict[str, Any]:
    """Reads a mapping from YAML or JSON; an empty one when there is no such file."""
    return read_mapping(path) if path.is_file() else {}


def _absolute_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _absolute_paths(inner)
    if isinstance(value, str) and value.strip():
        spec = EncoderSpec.parse(value)
        name = spec.name.removeprefix(LAION) if spec.kind in ENCODERS else value
        words = [name] if Path(name).is_absolute() else value.split()
        yield from (word for word in words if Path(word).is_absolute())


def _dump(content: dict[str, Any], suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(content, indent=2)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
