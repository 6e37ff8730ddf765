"""What the parsers of all commands have in common."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that answers for its own options, and takes words after options, too.

    Attributes:
        more: name of the list that takes what is found between options and after them.
    """

    more: str | None = None

    def parse_known_args(self, args=None, namespace=None):
        """Parses; what is left over ends with an error here, not in the parser above."""
        namespace, left = super().parse_known_args(args, namespace)
        words = [word for word in left if word == "-" or not word.startswith("-")]
        if self.more and words == left:
            getattr(namespace, self.more).extend(words)
        elif left:
            self._refuse(left)
        return namespace, []

    def _refuse(self, left: Sequence[str]) -> NoReturn:
        options = [word.partition("=")[0] for word in left if word.startswith("-")]
        unknown = (options or left)[0]
        near = difflib.get_close_matches(unknown, self._option_string_actions, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        kind = "option" if options else "argument"
        self.error(f"there is no {kind} {unknown}.{hint}")


def add_parser(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    *,
    help: str,
    examples: Sequence[str],
    description: str | None = None,
    **options: Any,
) -> Parser:
    """Adds a command, with `-v` and examples at the end of its help."""
    lines = "\n".join(f"  asteroid-bimodal {name} {example}".rstrip() for example in examples)
    parser = commands.add_parser(
        name,
        help=help,
        description=description or f"{help[0].upper()}{help[1:]}.",
        epilog=f"example{'s' if len(examples) > 1 else ''}:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say more, and where errors come from"
    )
    parser.set_defaults(run=run)
    return parser


def count(text: str) -> int:
    """Reads a number of things, of which there is one at least."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds `--device`."""
    parser.add_argument("--device", help="cpu, cuda, cuda:1, … (default: a GPU if there is one)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds `--model`."""
    parser.add_argument(
        "-m",
        "--model",
        default="small",
        help="small (77 sounds at 16 kHz, the default), mini (11 instruments), mini-events (36 "
        "everyday sounds), an experiment or other folder, a file, or user/repo on the hub",
    )
