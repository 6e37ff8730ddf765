"""Words of others in Markdown: they stay words, and make no link, tag, table cell or heading."""

from __future__ import annotations

import html
import re

# What Markdown reads in the middle of a line. An underscore between letters is one already.
_MARKS = re.compile(r"[\\`*\[\]|~$@#!]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)


def plain(text: object) -> str:
    r"""Writes a text so that Markdown shows it as it is, on one line.

    Examples:
        >>> plain("a | <b> [c](d) `e` f_g https://h.org")
        'a \\| &lt;b&gt; \\[c\\](d) \\`e\\` f_g https\\://h.org'
    """
    return html.escape(_MARKS.sub(r"\\\g<0>", _one_line(text)), quote=False)


def code(text: object) -> str:
    r"""Writes a text for between backticks, or as an indented line.

    Examples:
        >>> code("a `b`\n\n# c")
        "a 'b' # c"
    """
    return _one_line(text).replace("`", "'")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
