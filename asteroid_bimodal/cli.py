"""The command line: `asteroid-bimodal separate | evaluate | report | publish | import-official`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from . import __version__

# What a command needs is imported when it runs: `--help` should not wait for torch.


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; a problem is one line on standard error and exit code 1.

    Args:
        argv: the arguments, by default the process's.
    """
    args = _parser().parse_args(argv)
    # Of torchmetrics, each time; nothing that a user could do about it.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        sys.exit(f"asteroid-bimodal: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit("asteroid-bimodal: stopped.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asteroid-bimodal", description="Separate sounds by words.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_separate(commands)
    _add_evaluate(commands)
    _add_report(commands)
    _add_publish(commands)
    _add_import_official(commands)
    return parser


def _add_separate(commands) -> None:
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
    _add_device(parser)
    parser.set_defaults(run=_separate)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="cpu, cuda, cuda:1, … (default: a GPU if there is one)")


def _separate(args: argparse.Namespace) -> None:
    from .hub import load_model
    from .separate import find_inputs, output_names, separate_files

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


def _add_evaluate(commands) -> None:
    parser = commands.add_parser("evaluate", help="score an experiment's best model again")
    parser.add_argument("experiment", type=Path, help="folder of the experiment")
    parser.add_argument("--test_n_src", type=int, default=2, help="sources per test mixture")
    _add_device(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> None:
    from .engine.recipe import eval_main
    from .hub.load import find_device

    options = ["--exp_dir", str(args.experiment), "--test_n_src", str(args.test_n_src)]
    eval_main(args.experiment, [*options, "--device", str(find_device(args.device))])


def _add_report(commands) -> None:
    parser = commands.add_parser("report", help="write an experiment's report.html")
    parser.add_argument("experiment", type=Path, help="folder of the experiment")
    parser.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> None:
    from .engine.examples import load_examples
    from .report import write_report

    if not args.experiment.is_dir():
        raise FileNotFoundError(f"Expected an experiment folder, found none at {args.experiment}.")
    examples = load_examples(args.experiment / "examples")
    print(write_report(args.experiment, examples=examples))


def _add_publish(commands) -> None:
    parser = commands.add_parser("publish", help="put an experiment's best model on the hub")
    parser.add_argument(
        "experiment", type=Path, help="folder of the experiment, or its publish_dir as it is"
    )
    parser.add_argument("--repo", help="user/name on the hub")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--dry-run", action="store_true", help="write publish_dir/ only")
    parser.set_defaults(run=_publish)


def _publish(args: argparse.Namespace) -> None:
    from .hub import publish, write_publish_dir

    if not args.repo and not args.dry_run:
        raise ValueError("Expected --repo user/name, received none. --dry-run needs none.")
    if args.dry_run:
        print(write_publish_dir(args.experiment, repo_id=args.repo))
    else:
        print(publish(args.experiment, args.repo, private=args.private))


def _add_import_official(commands) -> None:
    parser = commands.add_parser(
        "import-official", help="convert a checkpoint of the paper's release"
    )
    parser.add_argument("checkpoint", type=Path, help="model_best.pth.tar")
    parser.add_argument("out", type=Path, help="folder for model.safetensors and config.json")
    parser.add_argument("--num-heads", type=int, default=8, help="not in the checkpoint")
    parser.add_argument(
        "--with-scorer", action="store_true", help="also write its CLAP, to OUT/clap"
    )
    parser.add_argument(
        "--tokenizer", default="roberta-base", help="of its CLAP: a folder or hub id (%(default)s)"
    )
    parser.set_defaults(run=_import_official)


def _import_official(args: argparse.Namespace) -> None:
    from .models import BiModalUNet
    from .models.official_clap import export_scorer
    from .models.pretrained import CONFIG, WEIGHTS

    existing = [args.out / name for name in (WEIGHTS, CONFIG) if (args.out / name).exists()]
    if existing:
        raise FileExistsError(f"{existing[0]} exists already. Choose another folder.")
    model = BiModalUNet.from_official(args.checkpoint, args.num_heads)
    if args.with_scorer:
        export_scorer(args.checkpoint, args.out / "clap", args.tokenizer)
    model.save_pretrained(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
