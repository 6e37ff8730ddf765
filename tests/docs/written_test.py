"""What programs write into the documentation is what they write now, and its first lines run."""

from __future__ import annotations

import re
import runpy
import textwrap
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from asteroid_bimodal import cli

REPO = Path(__file__).parents[2]


def test_the_page_of_the_command_line_is_that_of_the_parsers():
    written = runpy.run_path(str(REPO / "docs/write_cli.py"))["page"]()
    kept = (REPO / "docs/cli.md").read_text(encoding="utf-8")
    assert written == kept, "Run python docs/write_cli.py."
    assert "%(" not in written and "None" not in written


def test_the_page_of_models_is_that_of_the_package():
    written = runpy.run_path(str(REPO / "docs/write_models.py"))["page"]()
    kept = (REPO / "docs/models.md").read_text(encoding="utf-8")
    assert written == kept, "Run python docs/write_models.py."


def test_the_keys_of_the_configuration_are_those_of_the_schema():
    written = runpy.run_path(str(REPO / "docs/write_keys.py"))["page"]()
    kept = (REPO / "docs/keys.md").read_text(encoding="utf-8")
    assert written == kept, "Run python docs/write_keys.py."


def test_the_files_and_tests_that_pages_name_are_there():
    parts = ("asteroid_bimodal", "benchmarks", "docs", "egs", "tests")
    files = [path for part in parts for path in (REPO / part).rglob("*.py")]
    missing = set()
    for page in (REPO / "README.md", *REPO.glob("docs/**/*.md"), *REPO.glob("egs/*/README.md")):
        named = re.findall(
            r"((?:\w+/)+\w+\.py|\w+_test\.py)(?:::(\w+))?", page.read_text(encoding="utf-8")
        )
        for name, test in set(named):
            found = [path for path in files if f"/{path.relative_to(REPO)}".endswith(f"/{name}")]
            if not any(test in path.read_text(encoding="utf-8") for path in found):
                missing.add(f"{page.name}: {name} {test}")
    assert not missing


def test_the_walks_of_the_architecture_count_their_files():
    text = (REPO / "docs/architecture.md").read_text(encoding="utf-8")
    for walk in text.split("## The walk")[1:]:
        assert f"\n{len(set(re.findall(r'`[a-z_/]+[.]py`', walk)))} files." in walk


PAGES = ("*.md", "docs/*.md", "docs/api/*.md", "egs/**/README.md", "asteroid_bimodal/**/README.md")
CODE = re.compile(r"^( *)```.*?^\1```|(?<=\n\n)(?: {4}[^\n]*\n)+", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("pattern", PAGES)
def test_code_fits_on_the_page(pattern):
    wide = []
    # Cards that a recipe wrote are no pages of ours.
    for path in (path for path in REPO.glob(pattern) if "exp" not in path.parts):
        for code in CODE.finditer(path.read_text(encoding="utf-8")):
            lines = textwrap.dedent(code[0]).splitlines()
            wide += [f"{path.relative_to(REPO)}: {line}" for line in lines if len(line) > 76]
    assert not wide, "\n".join(wide)


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    runpy.run_path(str(REPO / "docs/draw_example.py"))["draw"](tmp_path / "example.png")
    with (
        Image.open(tmp_path / "example.png") as drawn,
        Image.open(REPO / "docs/example.png") as kept,
    ):
        assert drawn.size == kept.size
    assert (REPO / "docs/example.png").stat().st_size < 150_000
    sounds = list((REPO / "docs/sounds").glob("*.mp3"))
    assert len(sounds) == 4 and sum(path.stat().st_size for path in sounds) < 300_000


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_first_commands_run_as_they_stand(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (REPO / page).read_text(encoding="utf-8")
    lines = re.findall(r"^asteroid-bimodal (.*?)(?: +#.*)?$", text, re.MULTILINE)[:2]
    assert [line.split()[0] for line in lines] == ["example", "separate"]
    for line in lines:
        cli.main(line.split())
    parts = [
        soundfile.read(f"duet{end}.wav")[0] for end in ("", "_flute", "_xylophone", "_residual")
    ]
    assert abs(parts[0] - sum(parts[1:])).max() < 1e-6
