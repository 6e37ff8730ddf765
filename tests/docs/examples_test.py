"""The Python blocks of README.md and docs/*.md run, those of a file one after the other.

Files, models and the hub that they name are small ones; `stand_ins` has what they leave to their
readers. A block that cannot run here begins with `# not run: why`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from stand_ins import STAND_INS

from asteroid_bimodal.cli import main as cli
from asteroid_bimodal.hub import publish

REPO = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in REPO.glob("docs/*.md"))]
# Blocks of each file that begin with "# not run: ".
NOT_RUN = {"docs/data.md": 1, "docs/export.md": 1}
COMMAND = re.compile(r"^\s*asteroid-bimodal (\S+)((?:.*\\\n)*.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A Python block: where its code begins, and the heading that it is under."""

    page: str
    heading: str
    line: int
    code: str


def read_blocks(page: str) -> list[Block]:
    blocks, heading, fence, code = [], "", "", []
    for number, line in enumerate((REPO / page).read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if fence == "python":
                blocks.append(Block(page, heading, number - len(code), "\n".join(code)))
            fence, code = ("" if fence else line[3:].strip() or "text"), []
        elif fence:
            code.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    assert not fence, f"{page} ends within a block."
    return blocks


def is_run(block: Block) -> bool:
    return not block.code.startswith("# not run: ")


def run(block: Block, names: dict, place: Path) -> None:
    code = block.code.replace('"/mnt/', f'"{place}/mnt/')
    # Tracebacks show the line of the page.
    exec(compile("\n" * (block.line - 1) + code, REPO / block.page, "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page, place, experiment, hub, monkeypatch):
    blocks = [block for block in read_blocks(page) if is_run(block)]
    if any("user/name" in block.code for block in blocks):
        publish(experiment, "user/name", private=True)
        hub.repos["user/name"].refs["v1"] = hub.repos["user/name"].refs["main"]
    names, seen = {"__name__": "__main__"}, set()
    for block in blocks:
        key = (page, block.heading)
        if key in STAND_INS and key not in seen:
            names.update(STAND_INS[key](place))
            seen.add(key)
        run(block, names, place)
    assert seen == {key for key in STAND_INS if key[0] == page}, "A stand-in is of no use."


def test_what_is_not_run_is_counted():
    found = {page: sum(not is_run(block) for block in read_blocks(page)) for page in PAGES}
    assert {page: count for page, count in found.items() if count} == NOT_RUN


@pytest.mark.parametrize("page", PAGES)
def test_options_of_commands_exist(page, capsys):
    for command, rest in COMMAND.findall((REPO / page).read_text(encoding="utf-8")):
        with pytest.raises(SystemExit) as stopped:
            cli([command, "--help"])
        assert stopped.value.code == 0, command
        known = capsys.readouterr().out
        options = re.findall(r"(?<![\w-])--[a-z][\w-]*", rest.split(" #")[0])
        assert not [option for option in options if option not in known], f"{command} {rest}"
