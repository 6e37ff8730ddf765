"""Which commit a run was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

# What makes a difference to a run. Results, which a recipe writes into the checkout, do not.
_CODE = (":(top)asteroid_bimodal", ":(top)*.py", ":(top)*.yml", ":(top)*.sh")


def checkout_commit(folder: str | Path) -> str | None:
    """The short hash that a git checkout is at, with `-dirty` when code or configuration differ."""
    # None without git or a checkout, and where git knows nothing of the folder (as of an installed
    # package that lies in somebody's checkout).
    try:
        if not _git(folder, "ls-files"):
            return None
        commit = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--", *_CODE)
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(folder: str | Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()
