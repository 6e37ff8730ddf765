"""What a question brings up is shown on the page."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

from asteroid_bimodal.demo.page import _with_errors


def test_warnings_are_shown_once_each():
    shown = []

    def answer(*_):
        for message in ("breaks off", "breaks off", "knows no word"):
            warnings.warn(message, stacklevel=1)
        warnings.warn("of a library", FutureWarning, stacklevel=1)
        return "<p>"

    page = SimpleNamespace(Warning=shown.append, Error=ValueError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert _with_errors(page, answer)(None, "qwxzv", "", None) == "<p>"
    assert shown == ["breaks off", "knows no word"]
