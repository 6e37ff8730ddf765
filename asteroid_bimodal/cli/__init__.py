"""The command line: separate, evaluate, report, check, demo, download, publish, import-official."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from .. import __version__
from .check import add_check
from .demo import add_demo
from .download import add_download
from .evaluate import add_evaluate
from .import_official import add_import_official
from .publish import add_publish
from .report import add_report
from .separate import add_separate

# What a command needs is imported when it runs: `--help` should not wait for torch.


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; a problem is one line on standard error and exit code 1."""
    args = _parser().parse_args(argv)
    # Of torchmetrics, each time; nothing that a user could do about it.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    try:
        args.run(args)
    except (ModuleNotFoundError, ValueError, OSError) as error:
        sys.exit(f"asteroid-bimodal: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit("asteroid-bimodal: stopped.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asteroid-bimodal", description="Separate sounds by words.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_check(commands)
    add_demo(commands)
    add_separate(commands)
    add_evaluate(commands)
    add_report(commands)
    add_download(commands)
    add_publish(commands)
    add_import_official(commands)
    return parser
