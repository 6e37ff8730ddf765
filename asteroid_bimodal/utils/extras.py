"""Packages that only some parts need: saying which extra installs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Adds to a failing import which extra of this package helps.

    Args:
        name: as in setup.cfg.

    Raises:
        ModuleNotFoundError: when a package that the block imports is not installed.

    Examples:
        >>> with extra("recipes"):
        ...     import no_such_module
        Traceback (most recent call last):
        ModuleNotFoundError: no_such_module is not installed. Run `pip install ...
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").split(".")[0]
        if module in ("", "asteroid_bimodal"):
            raise
        raise ModuleNotFoundError(
            f'{module} is not installed. Run `pip install "asteroid-bimodal[{name}]"`.',
            name=module,
        ) from error
