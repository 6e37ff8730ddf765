"""Keys with values in JSON and YAML files, which anybody may have written.

Nothing of a file is run, looked up elsewhere or multiplied; one sentence says what is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LARGEST = 2**20  # bytes; configurations and scores have a few thousand
_DEEPEST = 32


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Reads a .json or .yml file; ValueError when it is broken, too large or no mapping."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    kind = "JSON" if path.suffix == ".json" else "YAML"
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST >> 20} MiB")
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if kind == "JSON" else _parse_yaml(path, text)
        _check(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not {kind}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__} instead of keys with values.")
    return content


def _parse_yaml(path: Path, text: str) -> Any:
    import yaml  # as OmegaConf, of the extra `recipes`
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"it repeats a part, *{event.anchor}, instead of writing it out")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} times")
        return OmegaConf.to_container(OmegaConf.load(path))  # takes 1e-3 for a number
    except (yaml.YAMLError, OmegaConfBaseException, OSError) as error:
        raise ValueError(str(error)) from error


def _check(content: Any) -> None:
    """Raises ValueError for what is nested too deep and for keys that are no text."""
    level = [content]
    for _ in range(_DEEPEST + 1):
        maps = [value for value in level if isinstance(value, dict)]
        for key in (key for inner in maps for key in inner):
            if not isinstance(key, str):
                raise ValueError(f"its key {key!r} is no text")
        lists = [value for value in level if isinstance(value, list)]
        level = [part for inner in (*lists, *(m.values() for m in maps)) for part in inner]
    if level:
        raise ValueError(f"it is nested more than {_DEEPEST} times")
