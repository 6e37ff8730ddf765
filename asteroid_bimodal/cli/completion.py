"""`asteroid-bimodal completion`: has a shell complete commands, options and files."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..utils.extras import extra
from .parsing import add_parser

SHELLS = ("bash", "zsh", "tcsh")
_ALSO_FILES = ("inputs", "like", "picture", "model")


def add_command(commands, root: argparse.ArgumentParser) -> None:
    parser = add_parser(
        commands,
        "completion",
        partial(_complete, root),
        help="print what has a shell complete commands, options and files",
        examples=["bash > ~/.local/share/bash-completion/completions/asteroid-bimodal"],
    )
    parser.add_argument("shell", choices=SHELLS, help="which")


def _complete(root: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with extra("completion"):
        import shtab

    _complete_files(root, shtab.FILE)
    print(shtab.complete(root, args.shell))


def _complete_files(parser: argparse.ArgumentParser, as_file: dict[str, str]) -> None:
    """Has arguments that are paths, or may be, complete as files and folders."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, as_file)
        elif action.type is Path or action.dest in _ALSO_FILES:
            action.complete = as_file  # type: ignore[attr-defined]
