"""What the site needs beside mkdocs' own: pages from all over the repository, and equations."""

from __future__ import annotations

import base64
import html
import json
import posixpath
import re
from pathlib import Path

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

try:
    from latex2mathml.converter import convert
except ImportError:  # equations then stay as they are written
    convert = None

REPO = Path(__file__).parents[1]
OUTSIDE = (  # pages and pictures that the site has beside those of docs/, in their own places
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "asteroid_bimodal/pretrained/*/README.md",
    "egs/*/README.md",
    "egs/*/asteroid_models/README.md",
    "egs/*/results/*.md",
    "egs/*/results/*.svg",
)
NOTEBOOKS = "docs/*.ipynb"
LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s:#]+)(#[^()\s]*)?\)")
FENCE = re.compile(r"^```.*?^```|^(?: {4}|\t).*?$", re.DOTALL | re.MULTILINE)
SOUND = re.compile(r'src="data:audio/mpeg;base64,([^"]+)"')
FORMULA = re.compile(
    r'<span class="arithmatex">\\\((?P<inline>.*?)\\\)</span>'
    r'|<div class="arithmatex">\s*\\\[(?P<block>.*?)\\\]\s*</div>',
    re.DOTALL,
)
ROLE = re.compile(r":math:`([^`]+)`")
DIRECTIVE = re.compile(r"^\.\. math::(.*(?:\n(?: +\S.*| *$))*)", re.MULTILINE)


def on_config(config: MkDocsConfig) -> None:
    """Adds the equations of docstrings to what Markdown reads."""
    config.markdown_extensions.append(DocstringMath())


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds pages from outside of docs/, and a page for each notebook."""
    for path in sorted({path for pattern in OUTSIDE for path in REPO.glob(pattern)}):
        place = path.relative_to(REPO).as_posix()
        files.append(File.generated(config, place, abs_src_path=str(path)))
    for path in sorted(REPO.glob(NOTEBOOKS)):
        pieces, text = read_notebook(path)
        files.append(File.generated(config, f"{path.stem}.md", content=text))
        for name, content in pieces.items():
            files.append(File.generated(config, name, content=content))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Points links to where pages are in the site; of other files of the repository names remain.

    A link to what is not there stays as it is, for mkdocs to complain about.
    """
    here = posixpath.dirname(page.file.src_uri)
    folder = here if (REPO / page.file.src_uri).exists() else f"docs/{here}"

    def resolve(link: re.Match[str]) -> str:
        text, target, anchor = link.groups(default="")
        place = posixpath.normpath(posixpath.join(folder, target)).replace(".ipynb", ".md")
        for found in (place, f"{place}/README.md"):
            found = found.removeprefix("docs/")
            if files.get_file_from_path(found):
                return f"[{text}]({posixpath.relpath(found, here or '.')}{anchor})"
        return text if (REPO / place).exists() else link[0]

    return outside_of_code(resolve, markdown)


def on_page_content(content: str, **_: object) -> str:
    """Turns TeX into MathML, which browsers show without any script."""
    return content if convert is None else FORMULA.sub(_to_mathml, content)


def outside_of_code(replace, markdown: str) -> str:
    """Replaces links, but not in blocks of code."""
    parts, start = [], 0
    for code in FENCE.finditer(markdown):
        parts += [LINK.sub(replace, markdown[start : code.start()]), code[0]]
        start = code.end()
    return "".join([*parts, LINK.sub(replace, markdown[start:])])


def _to_mathml(formula: re.Match[str]) -> str:
    tex = html.unescape(formula["inline"] or formula["block"]).strip()
    if r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{align*}}{tex}\end{{align*}}"
    return convert(tex, display="inline" if formula["inline"] else "block")


class DocstringMath(Extension):
    r"""Reads Sphinx' `:math:` and `.. math::`, which docstrings have, as `$…$` and `$$…$$`."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Registers the reader before any other."""
        md.preprocessors.register(_DollarMath(md), "docstring_math", 200)


class _DollarMath(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        text = DIRECTIVE.sub(lambda match: f"$$\n{match[1].strip()}\n$$\n\n", text)
        return ROLE.sub(lambda match: f"${match[1]}$", text).split("\n")


def read_notebook(path: Path) -> tuple[dict[str, bytes], str]:
    """Reads a notebook as Markdown, with what its cells printed, drew and played.

    Returns:
        Pictures and sounds by file name, and the text.
    """
    files, parts = {}, []
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}_{number}.png"
                files[name] = base64.b64decode(data["image/png"])
                parts.append(f"![]({name})")
            elif sound := SOUND.search("".join(data.get("text/html", ""))):
                name = f"{path.stem}_{len(files)}.mp3"
                files[name] = base64.b64decode(sound[1])
                parts.append(f'<audio controls preload="none" src="{name}"></audio>')
            elif printed := output.get("text") or data.get("text/plain"):
                parts.append(f"```text\n{''.join(printed).rstrip()}\n```")
    return files, "\n\n".join(parts)
