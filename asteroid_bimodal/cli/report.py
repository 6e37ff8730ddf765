"""`asteroid-bimodal report`: writes an experiment's page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .parsing import add_parser


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "report",
        _report,
        help="write an experiment's report.html",
        examples=["egs/music/exp/mini_bimodal_clap_2src"],
    )
    parser.add_argument("experiment", type=Path, help="folder of the experiment")


def _report(args: argparse.Namespace) -> None:
    from ..engine.examples import load_examples
    from ..report import write_report
    from ..report.experiment import read_experiment

    if not args.experiment.is_dir():
        raise FileNotFoundError(f"There is no folder {args.experiment}.")
    if not (args.experiment / "conf.yml").is_file():
        raise FileNotFoundError(f"{args.experiment} is no experiment: it has no conf.yml.")
    examples = load_examples(args.experiment / "examples")
    print(write_report(args.experiment, examples=examples))
    if sentence := read_experiment(args.experiment).unfinished:
        print(sentence, file=sys.stderr)
