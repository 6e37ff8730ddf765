"""`asteroid-bimodal evaluate`: scores an experiment's best model again."""

from __future__ import annotations

import argparse
from pathlib import Path

from .parsing import add_device, add_parser, count


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "evaluate",
        _evaluate,
        help="score an experiment's best model again",
        examples=["egs/music/exp/mini_clapsep_2src --test-n-src 3"],
    )
    parser.add_argument("experiment", type=Path, help="folder of the experiment")
    parser.add_argument(
        "-m",
        "--model",
        help="another saved separator, in a folder that `eval.py --model` has begun",
    )
    parser.add_argument("--test-n-src", type=count, default=2, help="sources per test mixture")
    parser.add_argument(
        "--share",
        action="store_true",
        help="the phrases of a mixture share it among them, to final_metrics_shared.json",
    )
    add_device(parser)


def _evaluate(args: argparse.Namespace) -> None:
    from ..engine.recipe import eval_main
    from ..hub.load import find_device

    options = ["--exp_dir", str(args.experiment), "--test_n_src", str(args.test_n_src)]
    options += ["--device", str(find_device(args.device))]
    options += ["--share"] if args.share else []
    eval_main(None, options + (["--model", args.model] if args.model else []))
