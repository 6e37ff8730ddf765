"""Edits by hand in a published folder survive when the folder is written again."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

CARD = "README.md"


def sign(card: str) -> str:
    """Appends a comment with a checksum, which tells later whether the card was edited."""
    digest = hashlib.sha256(card.encode()).hexdigest()[:16]
    return f"{card}\n<!-- Written by asteroid-bimodal, which keeps what was changed: {digest} -->\n"


def preserve_edits(old: Path, new: Path, generated: Sequence[str]) -> None:
    """Copies an edited card, and files that match no pattern of `generated`, from old to new."""
    for path in filter(Path.is_file, old.rglob("*")):
        name = path.relative_to(old).as_posix()
        if name == CARD and _is_unedited(path):
            continue
        if name == CARD:
            warnings.warn(
                f"{path} was changed by hand and is kept as it is, whatever the options and the "
                "results are now. Delete it to have it written anew.",
                stacklevel=3,
            )
        elif any(fnmatchcase(name, pattern) for pattern in generated):
            continue
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, new / name)


def _is_unedited(card: Path) -> bool:
    text = card.read_text(encoding="utf-8", errors="replace")
    return text == sign(text.rpartition("\n<!--")[0])
