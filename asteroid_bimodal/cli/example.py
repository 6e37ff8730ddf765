"""`asteroid-bimodal example`: a recording to try things with."""

from __future__ import annotations

import argparse
from pathlib import Path

from .parsing import add_parser


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "example",
        _example,
        help="write a recording to try things with: five seconds of a flute and a xylophone",
        examples=["duet.wav"],
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=Path("flute_and_xylophone.wav"),
        help="audio file (%(default)s)",
    )


def _example(args: argparse.Namespace) -> None:
    from ..utils.example import write_example

    if args.file.exists():
        raise FileExistsError(f"{args.file} exists already: name another file.")
    print(write_example(args.file))
