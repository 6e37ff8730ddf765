"""`asteroid-bimodal find`: which of the sounds that a model knows are in recordings, and when."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ..utils.inputs import find_inputs
from .parsing import add_device, add_model, add_parser, count
from .separated import score_entry

if TYPE_CHECKING:
    from ..separate import FoundSound


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "find",
        _find,
        help="say which known sounds are in recordings, how sure that is, and when",
        examples=["street.wav", "songs/ --json", "duet.wav --least 0.9"],
    )
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="audio files, videos, folders, quoted patterns")
    add_model(parser)
    add(
        "--least",
        type=float,
        default=0.2,
        metavar="LIKELIHOOD",
        help="of what is told, from 0 to 1 (%(default)s; likely: 0.5, sure: 0.9)",
    )
    add("--batch-size", type=count, default=8, help="sounds in one pass; fewer take less memory")
    add_device(parser)
    add("--json", action="store_true", help="print one JSON object")


def _find(args: argparse.Namespace) -> None:
    if not 0 < args.least <= 1:
        raise ValueError(f"Expected a likelihood above 0 and up to 1, received {args.least}.")
    paths = find_inputs(args.inputs)
    from ..hub import load_model
    from ..separate.files import FAILURES
    from ..separate.finding import find_sounds

    model, entries, failed = load_model(args.model, args.device), [], False
    options = {"least": args.least, "batch_size": args.batch_size}
    for path in paths:
        try:
            sounds = find_sounds(model, path, progress=sys.stderr.isatty(), **options)
        except FAILURES as error:
            failed = True
            print(f"asteroid-bimodal: {' '.join(str(error).split())}", file=sys.stderr)
            entries.append({"input": str(path), "reason": str(error), "sounds": []})
            continue
        entries.append({"input": str(path), "reason": "", "sounds": list(map(_entry, sounds))})
        if not args.json:
            print(_told(str(path), sounds) or f"{path}: nothing that this model knows was found.")
    if args.json:
        told = {"model": args.model, "files": entries}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    if failed:
        sys.exit(1)


def _entry(sound: FoundSound) -> dict[str, Any]:
    return {"sound": sound.name, **score_entry(sound.score), "spans": sound.spans}


def _told(path: str, sounds: list[FoundSound]) -> str:
    width = max((len(sound.name) for sound in sounds), default=0)
    lines = [
        f"  {sound.name:{width}}  {sound.score.likelihood:4.0%}  {sound.score.level:6.1f} dB  "
        + ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in sound.spans)
        for sound in sounds
    ]
    return "\n".join([f"{path}:", *lines]) if lines else ""


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
