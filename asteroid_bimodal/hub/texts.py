"""The texts of an experiment, without the folders of the machine that it was made on."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_KIND = re.compile(r"[\w-]{2,}:(?!//)")  # of an encoder, before its folder
_PARSERS = {".yml": yaml.safe_load, ".json": json.loads}


def copy_texts(
    exp_dir: Path, folder: Path, conf: Mapping[str, Any], patterns: Iterable[str]
) -> None:
    """Copies files; of absolute paths in the configuration, only their own names stay.

    Args:
        exp_dir: of the experiment.
        folder: what is published.
        conf: of the experiment.
        patterns: of the names of files.

    Raises:
        ValueError: for a file that cannot be read.
    """
    shorten = path_shortener(conf, exp_dir)
    for path in (path for pattern in patterns for path in exp_dir.glob(pattern)):
        target = folder / path.name
        if path.suffix in _PARSERS:
            content = read_dict(path)
            told = shorten(content)
            if told != content:
                target.write_text(_dump(told, path.suffix), encoding="utf-8")
                continue
        elif path.suffix == ".html":
            target.write_text(shorten(path.read_text(encoding="utf-8")), encoding="utf-8")
            continue
        shutil.copyfile(path, target)


def path_shortener(conf: Mapping[str, Any], exp_dir: Path) -> Callable[[Any], Any]:
    """Makes a function that takes off paths what is before their own name.

    Args:
        conf: of an experiment; each absolute path in it is known from then on.
        exp_dir: its folder, likewise.

    Returns:
        The function, of texts and of whatever holds texts, such as the configuration.

    Examples:
        >>> conf = {"scorer": {"name": "/home/me/clap"}, "query": "resnet:/home/me/resnet|56"}
        >>> path_shortener(conf, Path("exp"))(conf)
        {'scorer': {'name': 'clap'}, 'query': 'resnet:resnet|56'}
    """
    paths = [path.rstrip("/") for path in (*_absolute_paths(conf), str(exp_dir.resolve()))]
    names = {path: Path(path).name for path in paths if Path(path).name}
    names |= {html.escape(path): html.escape(name) for path, name in names.items()}
    longest_first = sorted(names, key=len, reverse=True)
    # Whole paths only: by chance, a short one is inside of base64, too.
    known = re.compile(rf"(?<![\w+/.-])({'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)")

    def shorten(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: shorten(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [shorten(inner) for inner in value]
        if isinstance(value, str):
            return known.sub(lambda match: names[match[0]], value)
        return value

    return shorten


def read_dict(path: Path) -> dict[str, Any]:
    """Reads names with values.

    Args:
        path: a YAML or JSON file.

    Returns:
        What is in it; nothing when there is no such file.

    Raises:
        ValueError: when it cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        content = _PARSERS[path.suffix](path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"Expected {path.suffix[1:].upper()} in {path.name}: {reason}. Mend or delete the file."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"Expected names with values in {path.name}. Mend or delete the file.")
    return content


def _absolute_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _absolute_paths(inner)
    if isinstance(value, str):
        kind = _KIND.match(value)
        name = value[kind.end() if kind else 0 :].partition("|")[0]
        words = [name] if Path(name).is_absolute() else value.split()
        yield from (word for word in words if Path(word).is_absolute())


def _dump(content: dict[str, Any], suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(content, indent=2)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
