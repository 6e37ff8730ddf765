"""Models that are loaded when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock

from ..models import QueriedSeparator


class LazyModels(Mapping[str, QueriedSeparator]):
    """Models by name, each loaded when it is first asked for, and kept.

    Args:
        names: of the models, in the order in which they are offered.
        load: gives the model of a name.

    Examples:
        >>> from asteroid_bimodal.hub import load_model
        >>> models = LazyModels(["mini", "user/never-asked-for"], load_model)
        >>> models["mini"].sample_rate
        8000
    """

    def __init__(self, names: Iterable[str], load: Callable[[str], QueriedSeparator]) -> None:
        self._names, self._load = list(names), load
        self._loaded: dict[str, QueriedSeparator] = {}
        self._lock = Lock()

    def __getitem__(self, name: str) -> QueriedSeparator:
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
