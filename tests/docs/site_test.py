"""The site builds without a warning, shows every public name, and loads nothing from elsewhere."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PACKAGES = (
    *(
        "data.download",
        "demo",
        "dsp",
        "hub",
        "losses",
        "masknn",
        "metrics",
        "models",
        "queries",
        "report",
    ),
    *("scorers", "separate"),
)
# Names that come from another package, where they are shown, and limits that signatures show.
ELSEWHERE = {"MAX_QUERIES", "MAX_SECONDS", "Part", "Query", "encode_queries"}
EXTERNAL = re.compile(
    r"""<(?:script|link|img|source|iframe)\b[^>]*(?:src|href)=["']?(?:https?:)?//"""
)

pytest.importorskip("mkdocs")
pytest.importorskip("material")
pytest.importorskip("mkdocstrings_handlers.python")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=REPO,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "WARNING" not in result.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {
        path.relative_to(site).as_posix(): path.read_text(encoding="utf-8")
        for path in site.rglob("*.html")
    }


def test_every_page_is_there(pages):
    written = {f"{path.stem}.html" for path in REPO.glob("docs/*.md")}
    recipes = {f"egs/{path.parent.name}/index.html" for path in REPO.glob("egs/*/README.md")}
    assert written | recipes | {"tutorial.html"} <= set(pages)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(pages, package):
    module = importlib.import_module(f"asteroid_bimodal.{package}")
    shown = set(re.findall(r'id="asteroid_bimodal\.([\w.]+)"', "".join(pages.values())))
    missing = [name for name in module.__all__ if f"{package}.{name}" not in shown]
    assert set(missing) <= ELSEWHERE, missing


def test_equations_are_no_tex(pages):
    pytest.importorskip("latex2mathml")
    text = re.sub(r"<code.*?</code>", "", "".join(pages.values()), flags=re.DOTALL)
    assert "<math" in text and r"\mathcal" not in text and ":math:" not in text


def test_nothing_is_loaded_from_elsewhere(pages):
    for name, page in pages.items():
        assert not EXTERNAL.search(page), name


def test_search_needs_no_server(site, pages):
    assert (site / "search/search_index.js").read_text(encoding="utf-8").startswith("var __index")
    assert (site / "iframe-worker.js").is_file()
    assert all("iframe-worker.js" in page for name, page in pages.items() if name != "404.html")
