"""Packages that only some parts need: saying which extra installs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Adds to a failing import which extra of this package helps."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").split(".")[0]
        if module in ("", "asteroid_bimodal"):
            raise
        raise ModuleNotFoundError(
            f'{module} is not installed. Run `pip install "asteroid-bimodal[{name}]"`.', name=module
        ) from error
