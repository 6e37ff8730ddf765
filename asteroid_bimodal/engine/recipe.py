"""What the scripts of every recipe share: configuration of a run, and the steps behind them."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from omegaconf import OmegaConf

from ..data.batches import UnusableClipsError
from ..data.shards import runs_command
from ..metrics import mean_by_item, write_json, write_rows
from ..models import load_separator
from ..report import Example
from ..utils.conf import Settings, load_conf, plain_names, read_conf, save_conf
from .build import build_scorer
from .checkpoints import list_checkpoints
from .evaluate import Evaluation, evaluate
from .examples import save_examples
from .loaders import build_test_set
from .schema import Config, check
from .skipped import Tally
from .tasks import find_launcher
from .train import BEST, CONF, train

BASE = "music"  # the recipe beside the others whose configuration they start from
NUM_EXAMPLES = 4  # items shown in a report
HEADLINE = ("sdr", "sdr_imp", "sir", "sar", "si_sdr_imp")
T = TypeVar("T")


def recipe_conf(recipe: str | Path, options: Sequence[str]) -> Config:
    """Reads the configuration of a run: conf.yml, the system, the data set, then the options.

    What a recipe's own files leave out is as in egs/music, whose local/conf.yml has every key.

    Args:
        recipe: folder of the recipe, with local/<data>.yml.
        options: `["--data", "mini", "--system", "clapsep", "--lr", "1e-3"]`; `--config FILE` puts a
            YAML file between the others and the options, `--loss.terms [url,crl]` keeps only these
            terms of the system's loss.

    Returns:
        The merged and checked configuration: an OmegaConf of the dataclass, with its attributes.

    Raises:
        ValueError: for a system, data set or key that does not exist, and a value it cannot have.
    """
    return read_recipe(recipe, options)[0]


def read_recipe(
    recipe: str | Path, options: Sequence[str]
) -> tuple[Config, dict[str, tuple[Any, Any]]]:
    """Reads the configuration of a run, as `recipe_conf`; also returns what the options changed."""
    recipe = Path(recipe)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data", default="mini")
    parser.add_argument("--system", default="bimodal_clap")
    parser.add_argument("--loss.terms", dest="terms")
    chosen, rest = parser.parse_known_args(plain_names(options))
    systems = {path.stem: path for path in (recipe / "../../conf/systems").glob("*.yml")}
    datasets = {path.stem: path for path in (recipe / "local").glob("*.yml") if path.stem != "conf"}
    own = _choose("data set", chosen.data, datasets)
    settings = Settings(Config)
    for path in [*_layers(recipe, "conf.yml"), _choose("system", chosen.system, systems)]:
        settings.add_file(path)

    def is_fixed(key: str) -> bool:
        """A data set adds no term to a system's loss, and moves no start that the system sets."""
        known = key in settings.values
        return key.startswith("loss.") and (known if key.endswith(".start") else not known)

    for path in _layers(recipe, own.name):
        settings.add_file(path, skip=is_fixed)
    changes = settings.add_options(rest)
    conf = settings.build()
    for name, place in (("data", conf.data), ("data.clean", conf.data.clean)):
        if runs_command(place.shards or "") and f"{name}.shards" not in settings.typed:
            raise ValueError(
                f"{name}.shards in a file is {place.shards!r}, which would run a command: give it "
                f"as the option --{name}.shards if you mean to run it."
            )
    conf.loss = {name: term for name, term in conf.loss.items() if term.weight}
    if chosen.terms is not None:
        names = [name.strip() for name in chosen.terms.strip("[]").split(",")]
        conf.loss = {name: _choose("loss term", name, conf.loss) for name in names}
        changes["loss.terms"] = ("all", ", ".join(names))
    check(conf)
    # Relative, so that no experiment tells where on a machine it was made.
    for place in (conf.data, conf.data.clean):
        if place.root and not Path(place.root).is_absolute():
            place.root = os.path.relpath(recipe / place.root)
    return conf, changes


def _layers(recipe: Path, name: str) -> list[Path]:
    """The files of a name that hold for a recipe, its own last."""
    folders = dict.fromkeys([recipe.resolve().parent / BASE, recipe.resolve()])
    return [path for folder in folders if (path := folder / "local" / name).is_file()]


def _choose(kind: str, name: str, known: Mapping[str, T]) -> T:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"There is no {kind} {name!r}; choose {', '.join(sorted(known))}.{hint}")


def train_main(recipe: Path, options: list[str]) -> None:
    """Stage 3, `train.py`: trains the configured system.

    Args:
        recipe: folder of the recipe.
        options: the command line, with `--exp_dir`, or with `--print_config` to print the merged
            configuration and stop.
    """
    options = plain_names(options)
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        epilog="Every key of the configuration is an option, too: --lr 1e-3, --masker.ngf 24. "
        "--print_config lists them all; local/conf.yml says what they mean.",
    )
    parser.add_argument("--exp_dir", type=Path, required="--print_config" not in options)
    parser.add_argument("--resume", choices=("true", "false"), default="false")
    parser.add_argument("--print_config", action="store_true")
    args, rest = parser.parse_known_args(options)
    conf = recipe_conf(recipe, rest)
    if args.print_config:
        print(OmegaConf.to_yaml(conf), end="")
    else:
        train(conf, args.exp_dir, resume=args.resume == "true")


def eval_main(recipe: Path | None, options: list[str]) -> None:
    """Stage 4, `eval.py`: scores an experiment's best model on a pinned test list.

    Writes metrics.csv (a row per source), all_metrics.csv (a row per mixture, as Asteroid's recipes
    do), final_metrics.json and examples/ into the experiment; the results of other lists than the
    2-source one go to metrics_<K>src.csv, all_metrics_<K>src.csv and final_metrics_<K>src.json.
    With `--share` the phrases of a mixture share it, and `_shared` is added to these names.

    With `--model`, another saved separator is scored, on the data of the options, in a folder that
    becomes its own.

    Args:
        recipe: folder of the recipe; None for what is in the experiment's folder alone.
        options: the command line, with `--exp_dir`.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, required=True)
    parser.add_argument("--test_n_src", type=int, default=2)
    parser.add_argument("--share", action="store_true", help="the phrases share their mixture")
    parser.add_argument("--limit", type=int, help="score the first items only")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", help="a saved separator, by name, in place of the experiment's")
    args, rest = parser.parse_known_args(plain_names(options))
    if args.model is None:
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        conf = experiment_conf(args.exp_dir)
        if not (args.exp_dir / BEST).is_file():
            raise FileNotFoundError(
                f"{args.exp_dir} has no {BEST}: its training has not ended. Run stage 3 again, "
                "which goes on where it was stopped."
            )
    else:
        conf = _conf_of_scores(recipe, args.exp_dir, rest)
    if torch.cuda.device_count() > 1 or find_launcher() is not None:
        print(f"Evaluates on one device, {args.device}.")
    model = load_separator(args.model or args.exp_dir / BEST).to(args.device)
    items = build_test_set(conf, "test", args.test_n_src, limit=args.limit)
    scorer = build_scorer(conf).to(args.device)
    suffix = "" if args.test_n_src == 2 else f"_{args.test_n_src}src"
    suffix += "_shared" if args.share else ""
    args.exp_dir.mkdir(parents=True, exist_ok=True)
    try:
        result = evaluate(
            model,
            items,
            scorer=scorer,
            share=args.share,
            num_examples=NUM_EXAMPLES,
            max_skipped=conf.data.max_skipped,
            num_workers=conf.data.num_workers,
            timeout=conf.data.timeout,
        )
    except UnusableClipsError as error:
        error.table = args.exp_dir / f"unusable{suffix}.csv"
        Tally.of(error.skipped).write(error.table)
        raise
    summary = result.summary()
    summary["command"] = " ".join([Path(sys.argv[0]).name, *options])
    if args.model is not None:
        summary["model"] = args.model
        save_conf(conf, args.exp_dir / CONF)
    write_rows(result.rows, args.exp_dir / f"metrics{suffix}.csv")
    means = mean_by_item(result.rows).reset_index().to_dict("records")
    write_rows(means, args.exp_dir / f"all_metrics{suffix}.csv")
    write_json(summary, args.exp_dir / f"final_metrics{suffix}.json")
    if not suffix:
        save_examples(report_examples(result, items.sample_rate), args.exp_dir / "examples")
    print(_headline(summary))


def _conf_of_scores(recipe: Path | None, exp_dir: Path, options: list[str]) -> Config:
    """The configuration with which a model of elsewhere is scored."""
    if (exp_dir / BEST).exists() or list_checkpoints(exp_dir):
        raise FileExistsError(
            f"{exp_dir} has a model of its own, whose scores stay: choose another --exp_dir."
        )
    if recipe is None or (exp_dir / CONF).exists() and not options:
        return experiment_conf(exp_dir)
    return recipe_conf(recipe, options)


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
    Shards that a command would give, `pipe:…`, are left out.

    Args:
        exp_dir: folder of the experiment.

    Raises:
        FileNotFoundError: when it holds no conf.yml.
    """
    path = exp_dir / "conf.yml"
    if not path.is_file():
        raise FileNotFoundError(f"Expected an experiment at {exp_dir}, found no conf.yml there.")
    read_conf(path)  # it refers to nothing: whoever wrote it may be a stranger
    conf = load_conf([path], schema=Config)
    for place in (conf.data, conf.data.clean):
        if runs_command(place.shards or ""):
            place.shards = None
    if not Path(conf.data.root).exists():
        conf.data.root = str(exp_dir / "../.." / conf.data.root)
    return conf


def _headline(summary: dict) -> str:
    names = [name for name in HEADLINE if summary.get(name) is not None]
    scores = ", ".join(f"{name} {summary[name]:.2f}" for name in names)
    over, missing = summary["n_items"], summary["list"]["missing"]
    share = f"{over} of {over + missing}" if missing else over
    hint = "; final_metrics.json names the clips that cannot be used" if missing else ""
    return f"{summary['test_list']}: {scores} dB over {share} mixtures{hint}"
