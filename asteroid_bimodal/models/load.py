"""Loading a saved separator of any kind."""

from __future__ import annotations

from os import PathLike
from typing import Any

import asteroid.models

from .pretrained import build, load_package
from .queried import QueriedSeparator


def load_separator(
    name: str | PathLike, *, revision: str | None = None, **kwargs: Any
) -> QueriedSeparator:
    """Loads a saved separator as what it was saved as, in eval mode; nothing in a file is run.

    Args:
        name: `"small"`, `"mini"` or `"mini-events"` (shipped with the package), a folder,
            a file, or `"user/repo"` on the Hugging Face hub.
        revision: branch, tag or commit of the repository; `"user/repo@revision"` says the same.
        **kwargs: arguments of the class that replace the saved ones.

    Raises:
        ValueError: for what is missing, broken, or not a separator of this package.

    Examples:
        >>> type(load_separator("mini")).__name__
        'BiModalUNet'
    """
    package = load_package(name, revision=revision)
    kind = getattr(asteroid.models, str(package["model_name"]), None)
    if not (isinstance(kind, type) and issubclass(kind, QueriedSeparator)):
        known = sorted(cls.__name__ for cls in QueriedSeparator.__subclasses__())
        raise ValueError(
            f"Expected a separator of {', '.join(known)} in {name}, found a "
            f"{package['model_name']!r}. Load it with that class."
        )
    return build(kind, package, str(name), **kwargs)
