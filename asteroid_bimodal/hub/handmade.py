"""What somebody changed or added in a published folder stays when the folder is written again."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

CARD = "README.md"


def sign(card: str) -> str:
    """Adds a comment to a card that tells whether it was changed since.

    Args:
        card: the text.

    Examples:
        >>> sign("# A model").startswith("# A model")
        True
    """
    digest = hashlib.sha256(card.encode()).hexdigest()[:16]
    return f"{card}\n<!-- Written by asteroid-bimodal, which keeps what was changed: {digest} -->\n"


def keep_handmade(old: Path, new: Path, written: Sequence[str]) -> None:
    """Copies what was not written by this package, and a card that was changed.

    Args:
        old: a folder as it was left; it may be missing.
        new: what takes its place; has a card.
        written: patterns of what this package writes beside the card.
    """
    for path in filter(Path.is_file, old.rglob("*")):
        name = path.relative_to(old).as_posix()
        if name == CARD and _is_as_signed(path):
            continue
        if name == CARD:
            warnings.warn(
                f"{path} was changed by hand and is kept as it is, whatever the options and the "
                "results are now. Delete it to have it written anew.",
                stacklevel=3,
            )
        elif any(fnmatchcase(name, pattern) for pattern in written):
            continue
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, new / name)


def _is_as_signed(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return text == sign(text.rpartition("\n<!--")[0])
