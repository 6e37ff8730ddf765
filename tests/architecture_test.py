"""The package keeps its shape: imports point down, nothing is hidden, public names are documented.

Every check looks at all files and lists all offenders in one message.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

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
# Entry points: the package itself and `python -m asteroid_bimodal`.
ON_NO_FLOOR = {"__init__", "__main__"}
# Longer ones may have a reason; a reader is only warned.
MAX_FILE, MAX_FUNCTION = 300, 40

MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((REPO / "egs").rglob("*.py")) + sorted((REPO / "benchmarks").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPO))


def module_of(path: Path) -> str:
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


NAMES = {module_of(path): path for path in MODULES}


def imported_names(path: Path, tree: ast.Module, checkers: bool = True) -> Iterator[str]:
    """Full names of what a file of the package imports from the package, wherever in the file.

    Args:
        path: of the file; relative imports start there.
        tree: what is in it.
        checkers: whether what is imported for type checkers alone counts, too.
    """
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= set() if checkers else set(ast.walk(node))
    package = ["asteroid_bimodal", *path.relative_to(PACKAGE).parts[:-1]]
    names = []
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
    yield from (name for name in names if name.startswith("asteroid_bimodal."))


def imported_parts(path: Path, tree: ast.Module) -> set[str]:
    """Parts of the package that a file imports when it runs."""
    return {name.split(".")[1] for name in imported_names(path, tree, checkers=False)} & set(FLOOR)


def imported_modules(path: Path) -> set[str]:
    """Files that a file names in any import, by the names of their modules."""
    names = set(imported_names(path, parse(path)))
    return {name if name in NAMES else name.rpartition(".")[0] for name in names} - {
        module_of(path)
    }


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
    parts = {part_of(path) for path in MODULES} - ON_NO_FLOOR
    assert parts <= set(FLOOR), f"Put {parts - set(FLOOR)} on a floor."


def test_imports_point_down():
    problems = []
    for path in MODULES:
        if (part := part_of(path)) in ON_NO_FLOOR:
            continue
        for other in imported_parts(path, parse(path)) - {part}:
            if FLOOR[other] > FLOOR[part] or (part, other) in FORBIDDEN:
                problems.append(f"{name_of(path)} must not import {other}")
    assert not problems, "\n".join(problems)


def test_parts_do_not_import_each_other():
    needs: dict[str, set[str]] = {part: set() for part in FLOOR}
    for path in MODULES:
        if part_of(path) in FLOOR:
            needs[part_of(path)] |= imported_parts(path, parse(path)) - {part_of(path)}
    assert not circle(needs), f"A circle among {circle(needs)}."


def test_files_do_not_import_each_other():
    needs = {module: imported_modules(path) for module, path in NAMES.items()}
    assert not circle(needs), f"A circle among {sorted(circle(needs))}."


def circle(needs: dict[str, set[str]]) -> frozenset[str]:
    """Those that depend on themselves through others, and what lies between them."""
    rest = set(needs)
    while True:
        ends = {one for one in rest if not needs[one] & rest}
        starts = rest - set().union(*(needs[one] - {one} for one in rest))
        if not ends | starts:
            return frozenset(rest)
        rest -= ends | starts


def test_sizes_are_moderate():
    """Warns only: a file or a function is cut where its idea ends, not where a count does."""
    long = []
    for path in MODULES + SCRIPTS:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines >= MAX_FILE:
            long.append(f"{name_of(path)}: {lines} lines")
        for node in ast.walk(parse(path)):
            if isinstance(node, Function):
                length = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    length -= node.body[0].end_lineno - node.body[0].lineno + 1
                if length >= MAX_FUNCTION:
                    long.append(f"{name_of(path)}: {node.name} has {length} lines")
    if long:
        warnings.warn("Longer than usual:\n" + "\n".join(long), stacklevel=1)


def test_no_absolute_paths():
    absolute = re.compile(r"^(/\w[\w.-]*/|~/|[A-Za-z]:\\)")
    problems = [
        f"{name_of(path)}:{node.lineno}: {node.value!r}"
        for path in MODULES + SCRIPTS
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and absolute.match(node.value)
        and not node.value.endswith("/")  # "/lists/" and the like are pieces of an f-string
    ]
    for path in [*REPO.glob("conf/**/*.yml"), *REPO.glob("egs/*/local/*.yml")]:
        if re.search(r":\s*(/|~/)\w", path.read_text(encoding="utf-8")):
            problems.append(name_of(path))
    assert not problems, "\n".join(problems)


def test_no_bare_except_and_no_print_in_libraries():
    problems = []
    for path in MODULES:
        speaks = part_of(path) in {"engine", "cli", "separate"}
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                problems.append(f"{name_of(path)}:{node.lineno}: bare except")
            prints = isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            if prints and not speaks:
                problems.append(f"{name_of(path)}:{node.lineno}: print in a library")
    assert not problems, "\n".join(problems)


def exported(path: Path) -> list[str]:
    """The names in a file's `__all__`."""
    for node in parse(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def definition(path: Path, name: str) -> tuple[Path, ast.AST] | None:
    """Finds the class or function behind a name, through the files that import it."""
    for node in parse(path).body:
        if isinstance(node, Function | ast.ClassDef) and node.name == name:
            return path, node
    for full in imported_names(path, parse(path)):
        module, _, last = full.rpartition(".")
        if last == name and module in NAMES and NAMES[module] != path:
            return definition(NAMES[module], name)
    return None


def undocumented(node: ast.AST, of_class: str = "") -> Iterator[str]:
    """Says what the docstrings of a public class or function lack."""
    text = ast.get_docstring(node) or ""
    if not text:
        yield f"{of_class}{node.name}: no docstring"
        return
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, Function) and not inner.name.startswith("_"):
                if not ast.get_docstring(inner):
                    yield f"{node.name}.{inner.name}: no docstring"
            if isinstance(inner, Function) and inner.name == "__init__":
                yield from (f"{node.name}: {name} not described" for name in missing(inner, text))
    else:
        yield from (f"{node.name}: {name} not described" for name in missing(node, text))


def missing(function: Function, text: str) -> list[str]:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = [one.arg for one in arguments if one.arg not in ("self", "cls")]
    return [name for name in names if not re.search(rf"^\s+{name}\b.*:", text, re.MULTILINE)]


def test_public_names_are_documented():
    problems = []
    for path in MODULES:
        for name in exported(path):
            found = definition(path, name)
            if found is not None:
                problems += [f"{name_of(found[0])}: {lack}" for lack in undocumented(found[1])]
    assert not problems, "\n".join(sorted(set(problems)))


def test_progress_bars_say_when_they_are_drawn():
    """On terminals alone (`disable=None`), or as a command decides: never redrawn in files."""
    offenders = [
        f"{name_of(path)}:{call.lineno}"
        for path in [*MODULES, *(s for s in SCRIPTS if "egs" in s.parts)]
        for call in ast.walk(parse(path))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "tqdm"
        and "disable" not in {keyword.arg for keyword in call.keywords}
    ]
    assert not offenders, f"tqdm without disable: {', '.join(offenders)}"
