"""`asteroid-bimodal evaluate`: scores an experiment's best model again."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import add_device


def add_command(commands) -> None:
    parser = commands.add_parser("evaluate", help="score an experiment's best model again")
    parser.add_argument("experiment", type=Path, help="folder of the experiment")
    parser.add_argument(
        "--model", help="another saved separator, in a folder that `eval.py --model` has begun"
    )
    parser.add_argument("--test-n-src", type=int, default=2, help="sources per test mixture")
    add_device(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> None:
    from ..engine.recipe import eval_main
    from ..hub.load import find_device

    options = ["--exp_dir", str(args.experiment), "--test_n_src", str(args.test_n_src)]
    options += ["--device", str(find_device(args.device))]
    eval_main(None, options + (["--model", args.model] if args.model else []))
