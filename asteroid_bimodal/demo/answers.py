"""What the page answers: tracks, or what is wrong and with which field."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from markupsafe import Markup

from ..models import QueriedSeparator
from ..queries import UnknownSoundWarning
from ..queries.naming import split_queries
from .result_html import EMPTY, render_problems, render_result
from .separation import QueryError, parse_queries, separate_recording
from .turns import Turns

_KEPT_RESULTS = 4


@dataclass
class Answers:
    """Separates for everybody who asks, and keeps the last few results."""

    models: Mapping[str, QueriedSeparator]
    folder: Path
    max_seconds: float
    _turns: Turns = field(default_factory=Turns)
    _results: deque[Path] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def answer(
        self,
        audio: str | None,
        words: str,
        caption: str,
        like: str | None,
        without: str,
        model: str,
        on_progress: Callable[[int, int], None],
    ) -> tuple[Markup, Markup, Markup]:
        """Returns the HTML of the result, and of the problems with the audio and the queries."""
        found, of_audio, of_queries = EMPTY, [], []
        with self._turns.take() as turn:

            def pass_on(done: int, total: int) -> None:
                on_progress(done, total)
                turn.pass_on()

            try:
                queries = parse_queries(words, caption, like, without=without)
                result = separate_recording(
                    self.models[model],
                    audio,
                    queries,
                    self.folder,
                    without=split_queries(without or ""),
                    max_seconds=self.max_seconds,
                    on_progress=pass_on,
                )
                self._keep(result.mixture.path.parent)
                found = render_result(result)
            except QueryError as error:
                of_queries.append(error)
            except (ValueError, OSError) as error:
                of_audio.append(error)
        for warning in turn.warnings:
            if warning.category is UnknownSoundWarning:
                of_queries.append(warning.message)
            elif warning.category is UserWarning:
                of_audio.append(warning.message)
        return found, render_problems(of_audio), render_problems(of_queries)

    def _keep(self, folder: Path) -> None:
        """Makes room for a result beside the last few."""
        with self._lock:
            self._results.append(folder)
            if len(self._results) > _KEPT_RESULTS:
                shutil.rmtree(self._results.popleft())
