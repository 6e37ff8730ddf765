"""Writes docs/cli.md from the parsers of the command line: python docs/write_cli.py."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from asteroid_bimodal.cli import build_parser

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Command line

<!-- Written by docs/write_cli.py. -->

`asteroid-bimodal COMMAND`, or `python -m asteroid_bimodal COMMAND`. Names of options are taken
with dashes and with underscores, `--batch-size` and `--batch_size`. A problem is one sentence on
standard error; the exit code is 0 when all was done, 1 when something was not, 2 for a command that
is not understood and for what `--strict` refuses, and 128 and the number of the signal that stopped
it. `asteroid-bimodal COMMAND --help` prints what is here.

[Separating files](separate.md) explains queries, outputs and batches. In bash,

    pip install shtab
    cd ~/.local/share/bash-completion/completions
    asteroid-bimodal completion bash > asteroid-bimodal

has commands, options and files completed.
"""


def page() -> str:
    """The page as Markdown, the same for every Python: help texts are laid out differently."""
    parser = build_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    seen, parts = set(), [HEAD]
    for name, command in commands.choices.items():
        if command not in seen:  # an alias
            seen.add(command)
            parts.append("\n".join(section(name, command)))
    return "\n".join(parts)


def section(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """A command: what it does, its arguments and options, and examples."""
    yield from (f"## {name}", "", cell(parser.description or ""), "", "| | |", "|-|-|")
    for group in parser._action_groups:
        for action in group._group_actions:
            if not isinstance(action, argparse._HelpAction):
                yield f"| {cell(names(action))} | {cell(explained(parser, action))} |"
    lines = (parser.epilog or "").splitlines()[1:]
    yield from ("", *("  " + part for line in lines for part in wrapped(line)), "")


def wrapped(line: str, width: int = 78) -> list[str]:
    """A command on lines that fit the page."""
    if len(line) <= width:
        return [line]
    end = max(line.rfind(mark, 0, width - 2) for mark in (" -", " >"))
    return [line[:end] + " \\", *wrapped("     " + line[end:], width)]


def names(action: argparse.Action) -> str:
    """How an argument is written: `-o`, `--out OUT`."""
    metavar = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    value = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    if action.choices is not None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    if action.nargs == "+":
        value += " …"
    if not action.option_strings:
        return f"`{value}`"
    spelled = ", ".join(f"`{text}`" for text in action.option_strings)
    return spelled if action.nargs == 0 else f"{spelled[:-1]} {value}`"


def explained(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """The help of an argument, with its default."""
    values = {**vars(action), "prog": parser.prog}
    return (action.help or "") % values


def cell(text: str) -> str:
    """What a table takes."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
