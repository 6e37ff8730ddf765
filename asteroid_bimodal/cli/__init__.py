"""The command line: separate, evaluate, report, check, demo, download, publish, import."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from .. import __version__
from ..utils.signals import exit_code, stopped_by_signals
from ..utils.streams import patient_streams
from . import check, demo, download, evaluate, import_model, publish, report, separate

# What a command needs is imported when it runs: `--help` should not wait for torch.


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; a problem is one line on standard error and exit code 1.

    A signal to stop is a line, too, and 128 and its number: 130 for Ctrl-C, 143 for SIGTERM.
    """
    try:
        with patient_streams(), stopped_by_signals():
            args = _parser().parse_args(_with_dashes(sys.argv[1:] if argv is None else argv))
            warnings.showwarning = _show_warning
            # Of torchmetrics, each time; nothing that a user could do about it.
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
            args.run(args)
    except (ModuleNotFoundError, ValueError, OSError) as error:
        sys.exit(f"asteroid-bimodal: {' '.join(str(error).split())}")
    except KeyboardInterrupt as stop:
        print("asteroid-bimodal: stopped.", file=sys.stderr)
        sys.exit(exit_code(stop))


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asteroid-bimodal", description="Separate sounds by words.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in (check, demo, separate, evaluate, report, download, publish, import_model):
        part.add_command(commands)
    return parser
