"""`asteroid-bimodal check`: looks for what is wrong with a data set."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .parsing import add_parser, count


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "check",
        _check,
        help="look for what is wrong with a data set",
        description="Looks for what is wrong with a data set. Exit code 1 when there are errors; "
        "warnings alone leave it 0.",
        examples=["data/music --decode", "data/mini --json - | jq .errors"],
    )
    add = parser.add_argument
    add("dataset", type=Path, help="folder with train.csv, valid.csv, test.csv")
    add(
        "--decode",
        action="store_true",
        help="read files to their end: silence, NaN, broken content",
    )
    add(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="OTHER",
        help="another set that is trained on: nothing of its train.csv may be in this one's "
        "valid.csv, test.csv or lists; may be given several times",
    )
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="also write all findings here; - is standard output, in place of the table",
    )
    add("--min-seconds", type=float, default=1.0, help="what a clip lasts at least (%(default)s)")
    add("--jobs", type=count, default=8, help="files at a time (%(default)s)")


def _check(args: argparse.Namespace) -> None:
    from ..data.check import check_dataset
    from ..metrics import write_json

    report = check_dataset(
        args.dataset,
        decode=args.decode,
        min_seconds=args.min_seconds,
        jobs=args.jobs,
        against=args.against,
    )
    if args.json == Path("-"):
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        if args.json:
            write_json(report.to_json(), args.json)
        print(report.table())
    if report.num_errors:
        sys.exit(1)
