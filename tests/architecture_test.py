"""The house keeps its shape: imports point down, files and functions stay small."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
PACKAGE = REPO / "asteroid_bimodal"

# What a part may import: parts of lower floors, and of its own as long as no circle arises.
FLOORS = [
    {"utils", "dsp"},
    {"data", "queries", "scorers", "masknn"},
    {"models", "losses", "metrics"},
    {"engine", "hub", "report", "separate"},
    {"cli", "demo"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
# Losses never see models, maskers never see where queries come from.
FORBIDDEN = {("losses", "models"), ("masknn", "queries"), ("masknn", "scorers")}
LONG_FILES: set[str] = set()  # files of 300 lines or more, on purpose

MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((REPO / "egs").rglob("*.py")) + sorted((REPO / "benchmarks").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPO))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def for_type_checkers(tree: ast.Module) -> set[ast.AST]:
    """Everything below `if TYPE_CHECKING:`, which is never run."""
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {node for block in blocks for node in ast.walk(block)}


def imported_parts(path: Path, tree: ast.Module) -> set[str]:
    """Parts of the package that a module imports when it runs."""
    package = ["asteroid_bimodal", *path.relative_to(PACKAGE).parts[:-1]]
    ignored, names = for_type_checkers(tree), []
    for node in ast.walk(tree):
        if node in ignored:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
    ours = [name.split(".") for name in names if name.startswith("asteroid_bimodal.")]
    return {name[1] for name in ours if name[1] in FLOOR}


def test_the_walk_understands_every_kind_of_import():
    path = PACKAGE / "data" / "mini" / "invented.py"
    code = """
from __future__ import annotations
import torch, asteroid_bimodal.dsp.spectral
from asteroid_bimodal import engine, __version__
from ...utils.files import atomic_write
from ... import losses
from ..audio import read_crop
from . import music
if TYPE_CHECKING:
    from ...models import BiModalUNet
def late():
    from ...queries.base import QueryEncoder
"""
    found = imported_parts(path, ast.parse(code))
    assert found == {"dsp", "engine", "utils", "losses", "data", "queries"}


def test_every_part_has_its_floor():
    parts = {part_of(path) for path in MODULES} - {"__init__"}
    assert parts == set(FLOOR) & parts, f"Put {parts - set(FLOOR)} on a floor."


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path):
    part = part_of(path)
    if part == "__init__":
        return
    imported = imported_parts(path, parse(path)) - {part}
    upward = {other for other in imported if FLOOR[other] > FLOOR[part]}
    assert not upward, f"{name_of(path)} imports {upward} from above."
    hidden = {other for other in imported if (part, other) in FORBIDDEN}
    assert not hidden, f"{name_of(path)} must not see {hidden}."


def test_no_part_depends_on_itself_through_others():
    needs = {part: set() for part in FLOOR}
    for path in MODULES:
        if part_of(path) in FLOOR:
            needs[part_of(path)] |= imported_parts(path, parse(path)) - {part_of(path)}
    done: set[str] = set()
    while ready := {part for part in needs if part not in done and needs[part] <= done}:
        done |= ready
    assert done == set(needs), f"A circle among {set(needs) - done}."


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=name_of)
def test_files_and_functions_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines < 300 or name_of(path) in LONG_FILES
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                length -= node.body[0].end_lineno - node.body[0].lineno + 1
            assert length < 40, f"{node.name} has {length} lines without its docstring."


def test_exceptions_are_still_needed():
    for name in LONG_FILES:
        assert len((REPO / name).read_text(encoding="utf-8").splitlines()) >= 300


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=name_of)
def test_no_absolute_paths(path):
    texts = [
        node.value
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    absolute = re.compile(r"^(/\w[\w.-]*/|~/|[A-Za-z]:\\)")
    # "/lists/" and the like are pieces of an f-string, not paths.
    found = [text for text in texts if absolute.match(text) and not text.endswith("/")]
    assert not found


def test_configurations_have_no_absolute_paths():
    for path in [*REPO.glob("conf/**/*.yml"), *REPO.glob("egs/*/local/*.yml")]:
        assert not re.search(r":\s*(/|~/)\w", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_bare_except_and_no_print_in_libraries(path):
    handlers = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ExceptHandler)]
    assert all(handler.type is not None for handler in handlers)
    if part_of(path) in {"engine", "cli", "separate"}:
        return
    calls = [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls)
