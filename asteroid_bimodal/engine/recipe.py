"""What the scripts of every recipe share: configuration of a run, and the steps behind them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from ..metrics import write_json, write_rows
from ..models import load_separator
from ..report import Example
from ..utils.conf import load_conf, plain_names
from .build import build_scorer
from .config import recipe_conf
from .evaluate import Evaluation, evaluate
from .examples import save_examples
from .loaders import build_test_set
from .schema import Config
from .train import train

NUM_EXAMPLES = 4  # items shown in a report
HEADLINE = ("sdr", "sdr_imp", "sir", "sar", "si_sdr_imp")


def run_script(main: Callable[[list[str]], None]) -> None:
    """Runs a script's main: an expected problem, or a stop, is one clear line and exit code 1.

    Args:
        main: takes the command line's arguments.
    """
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        lines = str(error).splitlines()
        # What a DataLoader's worker raised comes with the worker's traceback around it.
        message = lines[-1:] if lines and "DataLoader worker" in lines[0] else lines
        sys.exit(f"Error: {' '.join(' '.join(message).split())}")
    except (KeyboardInterrupt, SIGTERMException):  # the latter alone would exit with 0
        sys.exit("Stopped. The same command goes on from the last epoch.")


def train_main(recipe: Path, options: list[str]) -> None:
    """Stage 3, `train.py`: trains the configured system.

    Args:
        recipe: folder of the recipe.
        options: the command line, with `--exp_dir`.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, required=True)
    parser.add_argument("--resume", choices=("true", "false"), default="false")
    args, rest = parser.parse_known_args(plain_names(options))
    train(recipe_conf(recipe, rest), args.exp_dir, resume=args.resume == "true")


def eval_main(recipe: Path, options: list[str]) -> None:
    """Stage 4, `eval.py`: scores an experiment's best model on a pinned test list.

    Writes metrics.csv, final_metrics.json and examples/ into the experiment; the results of other
    lists than the 2-source one go to metrics_<K>src.csv and final_metrics_<K>src.json.

    Args:
        recipe: folder of the recipe.
        options: the command line, with `--exp_dir`.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, required=True)
    parser.add_argument("--test_n_src", type=int, default=2)
    parser.add_argument("--limit", type=int, help="score the first items only")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(plain_names(options))
    conf = experiment_conf(args.exp_dir)
    model = load_separator(args.exp_dir / "best_model.pth").to(args.device)
    items = build_test_set(conf, "test", args.test_n_src, limit=args.limit)
    scorer = build_scorer(conf).to(args.device)
    result = evaluate(model, items, scorer=scorer, num_examples=NUM_EXAMPLES)
    summary = result.summary()
    summary["command"] = " ".join([Path(sys.argv[0]).name, *options])
    suffix = "" if args.test_n_src == 2 else f"_{args.test_n_src}src"
    write_rows(result.rows, args.exp_dir / f"metrics{suffix}.csv")
    write_json(summary, args.exp_dir / f"final_metrics{suffix}.json")
    if not suffix:
        save_examples(report_examples(result, model.sample_rate), args.exp_dir / "examples")
    print(_headline(summary))


def report_examples(result: Evaluation, sample_rate: int) -> list[Example]:
    """Turns the kept items of an evaluation into examples of a report.

    Args:
        result: of `evaluate`.
        sample_rate: of its signals, in hertz.
    """
    return [
        Example(
            name=f"item_{kept.item.item:03d}",
            sample_rate=sample_rate,
            mixture=kept.item.mixture.numpy(),
            references=kept.item.references.numpy(),
            estimates=kept.estimates.numpy(),
            phrases=kept.item.phrases,
            metrics=[row for row in result.rows if row["item"] == kept.item.item],
        )
        for kept in result.examples
    ]


def experiment_conf(exp_dir: Path) -> Config:
    """Reads the configuration that an experiment was trained with.

    A relative folder of the data is looked for here, then from the recipe, `<exp_dir>/../..`.

    Args:
        exp_dir: folder of the experiment.

    Raises:
        FileNotFoundError: when it holds no conf.yml.
    """
    path = exp_dir / "conf.yml"
    if not path.is_file():
        raise FileNotFoundError(f"Expected an experiment at {exp_dir}, found no conf.yml there.")
    conf = load_conf([path], schema=Config)
    if not Path(conf.data.root).exists():
        conf.data.root = str(exp_dir / "../.." / conf.data.root)
    return conf


def _headline(summary: dict) -> str:
    names = [name for name in HEADLINE if summary.get(name) is not None]
    scores = ", ".join(f"{name} {summary[name]:.2f}" for name in names)
    return f"{summary['test_list']}: {scores} dB over {summary['n_items']} mixtures"
