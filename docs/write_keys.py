"""Writes docs/keys.md from the schema and the recipes' defaults: python docs/write_keys.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from asteroid_bimodal.engine import schema

PAGE = Path(__file__).with_name("keys.md")
CONF = Path(__file__).parents[1] / "egs/music/local/conf.yml"
LINE = re.compile(r"( *)(\w+):(?: +([^#]*?))?(?: +# ?(.*))?")
FILE = re.compile(r"(asteroid_bimodal/[\w/]+\.py)")
HEAD = """# Configuration keys

<!-- Written by docs/write_keys.py. -->

Every key of the recipes, with the value of the paper's runs in `egs/music/local/conf.yml`; small
sets and systems put others over them. How to change them, and how the terms of the loss are given,
is in [Configuration](configuration.md). Options are checked before the first stage: types, choices,
ranges, and what must fit together.
"""
KINDS = {
    **{"int": "integer", "float": "number", "str": "text", "bool": "true or false"},
    **{"list[int]": "integers", "list[float]": "numbers", "list[str]": "texts"},
    **{"dict[str, int]": "integers by name", "dict[str, Term]": "terms of the loss"},
    "None": "null",
}


def page() -> str:
    """The page as Markdown."""
    written = {path: (value, meaning) for path, value, meaning in lines()}
    parts = [HEAD, *table("", schema.Config, written)]
    for one in fields(schema.Config):
        kind = get_type_hints(schema.Config)[one.name]
        if is_dataclass(kind):
            parts += [f"## {one.name}", "", FILE.sub(r"`\1`", written[one.name][1]), ""]
            parts += table(f"{one.name}.", kind, written)
    return "\n".join(parts)


def lines() -> Iterator[tuple[str, str, str]]:
    """Each key of the file: its path, its value, and what the file says of it."""
    parents: list[str] = []
    for line in CONF.read_text(encoding="utf-8").splitlines():
        if match := LINE.fullmatch(line):
            indent, name, value, meaning = match.groups(default="")
            parents = [*parents[: len(indent) // 2], name]
            yield ".".join(parents), value, meaning


def table(prefix: str, section: type, written: dict[str, tuple[str, str]]) -> list[str]:
    """The keys of a section; those of sections within it follow their own."""
    rows, hints = ["| key | default | value | |", "|-|-|-|-|"], get_type_hints(section)
    for one in fields(section):
        path = prefix + one.name
        if is_dataclass(hints[one.name]):
            if prefix:
                rows += table(f"{path}.", hints[one.name], written)[2:-1]
        else:
            default, meaning = written[path]
            rows.append(f"| `{path}` | `{default}` | {allowed(one)} | {cell(meaning)} |")
    return [*rows, ""]


def allowed(one: Field) -> str:
    """What values a key may have."""
    rules: dict[str, Any] = dict(one.metadata)
    kinds = [KINDS[part.strip()] for part in str(one.type).split(" | ")]
    if choices := rules.get("choices"):
        kinds[0] = ", ".join(f"`{choice}`" for choice in choices)
    low, high = rules.get("low"), rules.get("high")
    if "above" in rules:
        kinds[0] += f" above {rules['above']:g}" + ("" if high is None else f", at most {high:g}")
    elif low is not None:
        kinds[0] += f" from {low:g}" + ("" if high is None else f" to {high:g}")
    return cell(" or ".join(dict.fromkeys(kinds)))


def cell(text: str) -> str:
    """What a table takes."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
