"""The command line: separate, find, models, example, demo, check, evaluate and the others."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .. import __version__
from ..utils.garbage import few_collections
from ..utils.signals import exit_code, stopped_by_signals
from ..utils.streams import patient_streams
from . import (
    check,
    completion,
    demo,
    download,
    evaluate,
    example,
    find,
    import_model,
    models,
    publish,
    report,
    separate,
    shards,
)
from .parsing import Parser

# What a command needs is imported when it runs: `--help` should not wait for torch.
_COMMANDS = (
    separate,
    find,
    models,
    example,
    demo,
    check,
    download,
    shards,
    evaluate,
    report,
    publish,
    import_model,
)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; a problem is one line on standard error and exit code 1.

    A warning that an option made an error is exit code 2. A signal to stop is a line, too, and 128
    and its number: 130 for Ctrl-C, 143 for SIGTERM.
    """
    # Large tensors in huge pages, where Linux has them: touching new memory costs less then.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        with few_collections(), patient_streams(), stopped_by_signals():
            args = build_parser().parse_args(_with_dashes(sys.argv[1:] if argv is None else argv))
            warnings.showwarning = _show_warning
            with _details(args.verbose):
                args.run(args)
    except (ModuleNotFoundError, ValueError, OSError) as error:
        sys.exit(f"asteroid-bimodal: {' '.join(str(error).split())}")
    except Warning as refused:
        _show_warning(refused)
        sys.exit(2)
    except KeyboardInterrupt as stop:
        print("asteroid-bimodal: stopped.", file=sys.stderr)
        sys.exit(exit_code(stop))


def build_parser() -> Parser:
    """Builds the parser of all commands."""
    parser = Parser(
        prog="asteroid-bimodal", description="Separate sounds by words.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in _COMMANDS:
        part.add_command(commands)
    completion.add_command(commands, parser)
    return parser


def _with_dashes(argv: Sequence[str]) -> list[str]:
    """Writes the names of options with dashes; underscores do as well."""
    args = []
    for place, text in enumerate(argv):
        if text == "--":
            return [*args, *argv[place:]]
        name, equals, value = text.partition("=")
        args.append(name.replace("_", "-") + equals + value if text.startswith("--") else text)
    return args


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"asteroid-bimodal: {' '.join(str(message).split())}", file=sys.stderr)


@contextmanager
def _details(wanted: bool) -> Iterator[None]:
    """Has the package tell on standard error what it does, and where errors come from."""
    if not wanted:
        yield
        return
    log, handler = logging.getLogger("asteroid_bimodal"), logging.StreamHandler(sys.stderr)
    level, propagates = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield
    except Exception:
        log.debug("In detail:", exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagates
