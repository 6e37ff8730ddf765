"""`asteroid-bimodal separate`: files and queries in, a file for each query out."""

from __future__ import annotations

import argparse
import sys
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ..utils.inputs import find_inputs, is_input
from ..utils.streams import send_file
from .parsing import add_device, add_model, add_parser, count
from .separated import Report, standard_input

FORMATS = ("wav", "flac", "mp3", "ogg")
PIPE = "-"


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "separate",
        lambda args: _separate(parser, args),
        help="write what each query names to <file>_<query>.wav",
        examples=[
            'duet.wav violin "acoustic guitar" --residual',
            "*.flac violin,flute -o parts --format flac",
            'street/ --caption "a horn honks while a dog barks" -m mini-events',
            'duet.wav --like "my violin.wav" --blend bowed violin:0.7 cello:0.3',
            "song.wav --without drums --json",
            "- violin -o - < duet.wav > violin.wav",
        ],
        usage="%(prog)s [options] INPUT [INPUT ...] [QUERY ...]",
    )
    parser.more = "queries"
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="audio files, videos, folders and quoted patterns; - is standard input. What exists, "
        "or is called as an audio file, is an input, all else a query",
    )
    add("queries", nargs="*", metavar="QUERY", help="text queries; commas separate them, too")
    _add_queries(parser)
    _add_outputs(parser)
    add_model(parser)
    add(
        "--strict",
        action="store_true",
        help="end with exit code 2, before any work, at a query that the model does not know",
    )
    add("--batch-size", type=count, default=1, help="windows in one pass; more are faster on a GPU")
    add(
        "--precision",
        choices=("32", "bf16"),
        default="32",
        help="bf16: faster where the processor computes in it, and nearly the same",
    )
    add_device(parser)
    add("-q", "--quiet", action="store_true", help="print problems alone")
    add("--json", action="store_true", help="print what became of each input as one JSON object")


def _add_queries(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("other queries", "each may be given several times")
    add = partial(group.add_argument, default=[])
    add(
        "--query",
        metavar="TEXT",
        action="append",
        help="a text query as it is, also with commas or the name of a file",
    )
    add("--like", metavar="FILE", action="append", help="a sound to look for: an audio file")
    add(
        "--picture",
        metavar="FILE",
        action="append",
        help="an image, for models trained with pictures",
    )
    add(
        "--caption",
        metavar="TEXT",
        action="append",
        help="a sentence; each phrase of it is a query",
    )
    add(
        "--blend",
        nargs="+",
        metavar=("NAME", "PART:WEIGHT"),
        action="append",
        help="a weighted mean; a part is a text, like=FILE or picture=FILE",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="write each known sound that is likely there, and what is left (see find)",
    )
    add(
        "--without",
        metavar="PART",
        action="append",
        help="a negative query, which no output is to hold; without queries, the one output is all "
        "else",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("outputs").add_argument
    add(
        "-o",
        "--out",
        type=Path,
        help="folder to write to (default: the input's); - is standard output, for one output",
    )
    add("--residual", action="store_true", help="also write what is left")
    add(
        "--share",
        action="store_true",
        help="the queries name all that sounds: they share the input among them",
    )
    add(
        "--extend",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="share out what is above the model's band as the top of the band, or not at all",
    )
    add(
        "--gate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="lower what is very unlikely in the input, or leave it as the masks give it",
    )
    add("--format", choices=FORMATS, default="wav", help="of the files (%(default)s)")
    add(
        "--bits",
        type=int,
        choices=(16, 24, 32),
        help="of a sample; wav: 32, floating point, flac: 24, unless given",
    )
    add("--overwrite", action="store_true", help="replace existing files")
    add("--skip-existing", action="store_true", help="keep existing files, skip finished inputs")


def _separate(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    words = [*args.inputs, *args.queries]
    named = [word for word in words if word == PIPE or is_input(word)] or words[:1]
    texts = [word for word in words if word not in named]
    _check_usage(parser, args, named, texts)
    from_pipe = named == [PIPE]
    named_files = [] if from_pipe else find_inputs(named)
    # Up to here nothing has waited for PyTorch.
    from ..separate import OutputFormat, output_names

    queries, without = _queries(args, texts), [_part(text) for text in args.without]
    # Refused before any work.
    OutputFormat(args.format, args.bits)
    num_tracks = 0 if args.all else len(output_names(queries, args.residual, without))
    to_pipe = args.out == Path(PIPE)
    with standard_input() if from_pipe else nullcontext(named_files) as inputs:
        if to_pipe and len(inputs) * num_tracks > 1:
            raise ValueError(
                f"Standard output takes one track, not {len(inputs) * num_tracks}: name a folder."
            )
        out = args.out or (Path() if from_pipe else None)
        report = Report(args.model, quiet=args.quiet, as_json=args.json, to_pipe=to_pipe)
        with TemporaryDirectory() if to_pipe else nullcontext(out) as folder:
            log = not from_pipe and not to_pipe and inputs != list(map(Path, named))[:1]
            _run(args, inputs, queries, without=without, out=folder, log=log, report=report)
            if to_pipe and report.written:
                send_file(report.written[0])
    report.end()


def _check_usage(
    parser: argparse.ArgumentParser, args: argparse.Namespace, named: list[str], texts: list[str]
) -> None:
    other = (args.query, args.like, args.picture, args.caption, args.blend, args.without)
    if args.all and any((texts, *other)):
        parser.error("--all asks for all that is there: leave other queries out")
    if args.all and args.out == Path(PIPE):
        parser.error("--all writes several files, which standard output does not take")
    if not any((args.all, texts, *other)):
        are = "is taken as the input" if len(named) == 1 else "are taken as inputs"
        parser.error(
            f"what is asked for? {' and '.join(named)} {are}: add a QUERY, --query, --like, "
            "--picture, --caption, --blend, --without or --all"
        )
    if any(len(blend) == 1 for blend in args.blend):
        parser.error("--blend takes a name and its parts: --blend bowed violin:0.7 cello:0.3")
    if PIPE in named and len(named) > 1:
        parser.error("standard input (-) is an input by itself, without others")
    if args.out == Path(PIPE) and args.json:
        parser.error("standard output takes the sound (-o -) or --json, not both")
    if args.out == Path(PIPE) and sys.stdout.isatty():
        parser.error("-o - writes a file's bytes: add > FILE, or | and a program")
    if args.overwrite and args.skip_existing:
        parser.error("--overwrite and --skip-existing contradict each other")


def _run(
    args: argparse.Namespace,
    inputs: list[Path],
    queries: list,
    *,
    without: list,
    report: Report,
    **options,
) -> None:
    import torch
    from tqdm import tqdm

    from ..hub import load_model
    from ..queries import UnknownSoundWarning
    from ..separate import separate_all, separate_each

    model = load_model(args.model, args.device)
    bars = sys.stderr.isatty() and not args.quiet
    with (
        warnings.catch_warnings(),
        torch.autocast(model.device.type, torch.bfloat16, enabled=args.precision == "bf16"),
    ):
        if args.strict:
            warnings.simplefilter("error", UnknownSoundWarning)
        names = "share extend gate overwrite skip_existing batch_size format bits".split()
        options |= {"progress": bars, **{name: getattr(args, name) for name in names}}
        if args.all:
            results = separate_all(model, inputs, **options)
        else:
            asked = {"without": without, "residual": args.residual}
            results = separate_each(model, inputs, queries, **asked, **options)
        several = bars and len(inputs) > 1
        for result in tqdm(results, total=len(inputs), unit="file", disable=not several):
            with tqdm.external_write_mode():
                report.add(result)


def _queries(args: argparse.Namespace, texts: list[str]) -> list:
    from ..queries import parse_caption
    from ..queries.naming import split_queries
    from ..separate import Query

    return [
        *split_queries(*texts),
        *args.query,
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
