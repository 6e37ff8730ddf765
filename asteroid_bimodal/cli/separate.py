"""`asteroid-bimodal separate`: files and queries in, a file for each query out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .options import add_device


def add_separate(commands) -> None:
    """Adds the command to the parser's."""
    parser = commands.add_parser(
        "separate",
        help="write what each query names to <file>_<query>.wav",
        description='Example: asteroid-bimodal separate duet.wav violin "acoustic guitar"',
    )
    parser.add_argument("input", help="audio file, folder or quoted glob")
    parser.add_argument("queries", nargs="+", metavar="QUERY", help="what to look for")
    parser.add_argument(
        "--model",
        default="mini",
        help="mini (the default), an experiment or other folder, a file, or user/repo on the hub",
    )
    parser.add_argument("--out", type=Path, help="folder to write to (default: the input's)")
    parser.add_argument("--residual", action="store_true", help="also write what is left")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument(
        "--batch_size", type=int, default=1, help="windows in one pass; more are faster on a GPU"
    )
    add_device(parser)
    parser.set_defaults(run=_separate)


def _separate(args: argparse.Namespace) -> None:
    from ..hub import load_model
    from ..separate import find_inputs, output_names, separate_files

    output_names(args.queries, args.residual)  # refused before any work
    inputs = find_inputs(args.input)
    model = load_model(args.model, args.device)
    results = separate_files(
        model,
        inputs,
        args.queries,
        out=args.out,
        residual=args.residual,
        overwrite=args.overwrite,
        batch_size=args.batch_size,
        progress=sys.stderr.isatty(),
    )
    for path in results.written:
        print(path)
    for path, reason in results.failed.items():
        print(f"asteroid-bimodal: {path}: {reason}", file=sys.stderr)
    if results.failed:
        sys.exit(1)
