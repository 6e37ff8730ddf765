"""`asteroid-bimodal separate`: files and queries in, a file for each query out."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from .options import add_device, add_model

_EXAMPLES = """examples:
  asteroid-bimodal separate duet.wav violin "acoustic guitar" --residual
  asteroid-bimodal separate street/ --caption "a horn honks while a dog barks" --model mini-events
  asteroid-bimodal separate duet.wav --like "my violin.wav" --blend bowed violin:0.7 cello:0.3
  asteroid-bimodal separate song.wav --without drums"""


def add_command(commands) -> None:
    parser = commands.add_parser(
        "separate",
        help="write what each query names to <file>_<query>.wav",
        description="Writes what each query names to <file>_<query>.wav.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("input", help="audio file, folder or quoted glob")
    queries = add("queries", nargs="+", metavar="QUERY", default=[], help="a text query")
    queries.required = False  # other options ask, too
    _add_queries(parser)
    add_model(parser)
    add("--out", type=Path, help="folder to write to (default: the input's)")
    add("--residual", action="store_true", help="also write what is left")
    add("--overwrite", action="store_true", help="replace existing files")
    add("--skip-existing", action="store_true", help="keep existing files, skip finished inputs")
    add("--batch-size", type=int, default=1, help="windows in one pass; more are faster on a GPU")
    add(
        "--precision",
        choices=("32", "bf16"),
        default="32",
        help="bf16: faster where the processor computes in it, and nearly the same",
    )
    add_device(parser)
    parser.set_defaults(run=partial(_separate, parser))


def _add_queries(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("other queries", "each may be given several times")
    add = group.add_argument
    repeated = {"action": "append", "default": []}
    add("--like", metavar="FILE", **repeated, help="a sound to look for: an audio file")
    add("--picture", metavar="FILE", **repeated, help="an image, for models trained with pictures")
    add("--caption", metavar="TEXT", **repeated, help="a sentence; each phrase of it is a query")
    add(
        "--blend",
        nargs="+",
        metavar=("NAME", "PART:WEIGHT"),
        **repeated,
        help="a weighted mean; a part is a text, like=FILE or picture=FILE",
    )
    add(
        "--without",
        metavar="PART",
        **repeated,
        help="a negative query, which no output is to hold; without queries, the one output is all "
        "else",
    )


def _separate(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    asked = (args.queries, args.like, args.picture, args.caption, args.blend, args.without)
    if not any(asked):
        parser.error("expected a QUERY, --like, --picture, --caption, --blend or --without")
    if args.overwrite and args.skip_existing:
        parser.error("--overwrite and --skip-existing contradict each other")
    if args.batch_size < 1:
        parser.error("--batch-size must be at least 1")

    import torch

    from ..hub import load_model
    from ..separate import find_inputs, output_names, separate_files

    queries, without = _queries(args), [_part(text) for text in args.without]
    output_names(queries, args.residual, without)  # refused before any work
    inputs = find_inputs(args.input)
    model = load_model(args.model, args.device)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=args.precision == "bf16"):
        results = separate_files(
            model,
            inputs,
            queries,
            without=without,
            out=args.out,
            residual=args.residual,
            overwrite=args.overwrite,
            skip_existing=args.skip_existing,
            log=inputs != [Path(args.input)],
            batch_size=args.batch_size,
            progress=sys.stderr.isatty(),
        )
    _print(results)
    if results.failed:
        sys.exit(1)
    if not results.written and not results.skipped:
        raise ValueError("There is nothing to separate. Name the recordings that these are of.")


def _queries(args: argparse.Namespace) -> list:
    from ..queries import parse_caption
    from ..separate import Query

    return [
        *args.queries,
        *(phrase for caption in args.caption for phrase in parse_caption(caption)),
        *(Query.like(path) for path in args.like),
        *(Query.picture(path) for path in args.picture),
        *(Query.blend(name, [_weighted(part) for part in parts]) for name, *parts in args.blend),
    ]


def _part(text: str):
    from ..separate import Query

    kind, equals, path = text.partition("=")
    known = {"like": Query.like, "picture": Query.picture}
    return known[kind](path) if equals and kind in known else Query.of(text)


def _weighted(text: str) -> tuple:
    part, _, weight = text.rpartition(":")
    try:
        return _part(part), float(weight)
    except ValueError as error:
        raise ValueError(
            f"Expected --blend NAME PART:WEIGHT …, such as --blend bowed violin:0.7 cello:0.3, "
            f"received {text!r}."
        ) from error


def _print(results) -> None:
    for path in results.written:
        score = results.presence.get(path)
        print(path if score is None else f"{path}  presence {score:.2f}")
    for path in results.skipped:
        print(f"{path}  skipped, finished before")
    for path, reason in results.outputs.items():
        print(f"{path}  left out: {reason}")
    for path, reason in results.failed.items():
        print(f"asteroid-bimodal: {path}: {reason}", file=sys.stderr)
