"""`asteroid-bimodal models`: which models there are, and what each of them knows."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING

from .parsing import add_parser

if TYPE_CHECKING:
    from ..models.catalog import ModelFacts

_WIDTH = 100


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "models",
        _models,
        help="list models and the sounds that each knows",
        examples=["", "mini-events", "exp/mine user/repo --json"],
    )
    add = parser.add_argument
    add(
        "names",
        nargs="*",
        metavar="MODEL",
        help="names, folders, files or user/repo, which are then listed with the other words for "
        "each sound; by default the models of the package",
    )
    add("--json", action="store_true", help="print one JSON object")


def _models(args: argparse.Namespace) -> None:
    from ..models.catalog import describe_model
    from ..models.pretrained import SHIPPED_MODELS

    found = [describe_model(name) for name in args.names or SHIPPED_MODELS]
    if args.json:
        print(json.dumps({"models": list(map(_entry, found))}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(_told(facts, words=bool(args.names)) for facts in found))


def _entry(facts: ModelFacts) -> dict:
    kinds = facts.vocabulary and facts.vocabulary.to_dict()
    return {
        "name": facts.name,
        "class": facts.model_class,
        "sample_rate": facts.sample_rate,
        "parameters": facts.parameters,
        "megabytes": round(facts.megabytes, 2),
        "origin": facts.origin,
        "any_word": None if kinds is None else not kinds,
        "vocabulary": kinds,
    }


def _told(facts: ModelFacts, words: bool) -> str:
    origin = f", from {facts.origin}" if facts.origin else ""
    lines = [
        f"{facts.name}: {facts.model_class}, {facts.sample_rate / 1000:g} kHz, "
        f"{facts.parameters:,} parameters, {facts.megabytes:.1f} MB{origin}"
    ]
    if facts.vocabulary is None:
        lines.append("  It does not say which sounds it knows.")
    elif not facts.vocabulary.labels:
        lines.append("  It takes any word.")
    else:
        for kind, labels in facts.vocabulary.kinds.items():
            sounds = [
                f"{label} ({', '.join(others)})" if words and others else label
                for label, others in labels.items()
            ]
            text = f"  {len(labels)} {kind}: {'; '.join(sounds)}"
            lines.append(textwrap.fill(text, _WIDTH, subsequent_indent="    "))
    return "\n".join(lines)
