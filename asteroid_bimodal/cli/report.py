"""`asteroid-bimodal report`: writes an experiment's page."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_command(commands) -> None:
    parser = commands.add_parser("report", help="write an experiment's report.html")
    parser.add_argument("experiment", type=Path, help="folder of the experiment")
    parser.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> None:
    from ..engine.examples import load_examples
    from ..report import write_report

    if not args.experiment.is_dir():
        raise FileNotFoundError(f"Expected an experiment folder, found none at {args.experiment}.")
    examples = load_examples(args.experiment / "examples")
    print(write_report(args.experiment, examples=examples))
