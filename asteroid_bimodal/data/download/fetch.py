"""Fetching one clip: its sound, and its frames if they are wanted."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from .backoff import Backoff
from .clips import Entry
from .errors import (
    FetchError,
    GoneError,
    RefusedError,
    SlowError,
    UnreachableError,
    disk_watch,
)
from .excerpt import Excerpt
from .ledger import Row
from .process import TransferProcess
from .video import FetchOptions, Video

PARTIAL = ".partial"  # folder of what is not finished
_TRIES = 3
_NO_ANSWER = (UnreachableError, RefusedError)


@dataclass
class Outcome:
    """How fetching a clip ended."""

    rows: list[Row] = field(default_factory=list)  # one for each file or folder of frames
    answered: bool = False  # whether a server said something about it
    error: FetchError | None = None  # what kept a server from answering


class ClipFetcher:
    """Fetches clips, for several threads at once; into `.partial` until they are checked."""

    def __init__(
        self, root: Path, options: FetchOptions, sleep: float, stop: threading.Event
    ) -> None:
        self._root, self._options, self._stop = root, options, stop
        self._backoff = Backoff(sleep, stop)
        self._idle: list[TransferProcess] = []

    def close(self) -> None:
        """Ends the processes, which wait for the next clip."""
        while self._idle:
            self._idle.pop().close()

    def fetch(self, entry: Entry, products: Mapping[str, str]) -> Outcome:
        """Fetches a clip's `products`: where its "audio" and its "frames" belong in the folder."""
        process = self._idle.pop() if self._idle else TransferProcess(self._stop)
        try:
            return self._fetch(Video(entry.id, self._options, process), entry, products)
        finally:
            self._idle.append(process)

    def _fetch(self, video: Video, entry: Entry, products: Mapping[str, str]) -> Outcome:
        outcome = Outcome()
        lost: FetchError | None = None  # what also holds for the rest of the video
        for kind, path in products.items():
            status, reason = "ok", ""
            try:
                if lost:
                    raise lost
                seconds = self._fetch_product(video, entry, kind, self._root / path)
                outcome.answered = True
            except FetchError as error:
                status = "gone" if isinstance(error, GoneError) else "failed"
                reason, seconds = str(error), 0.0
                if isinstance(error, _NO_ANSWER):
                    lost = outcome.error = error
                else:
                    lost, outcome.answered = (error if status == "gone" else None), True
            outcome.rows.append(Row(path, entry.id, entry.start, status, reason, seconds))
        return outcome

    def _fetch_product(self, video: Video, entry: Entry, kind: str, target: Path) -> float:
        """Returns its length in seconds."""
        work = work_folder(self._root, target, kind)
        keep = False
        try:
            with disk_watch(work):
                work.mkdir(parents=True, exist_ok=True)
                return self._try(video, entry, kind, work, target)
        except FetchError as error:
            # What has arrived of a whole video is of use to the next run.
            interrupted = isinstance(error, (*_NO_ANSWER, SlowError)) or self._stop.is_set()
            keep = interrupted and entry.seconds is None
            raise
        finally:
            if not keep:
                shutil.rmtree(work, ignore_errors=True)

    def _try(self, video: Video, entry: Entry, kind: str, work: Path, target: Path) -> float:
        tries, left = 0, self._options.clip_timeout
        while True:
            self._backoff.wait()
            tries += 1
            began = time.monotonic()
            excerpt = Excerpt(video, entry.start, entry.seconds, work, began + left)
            try:
                seconds = self._make(excerpt, kind, work, target)
            except _NO_ANSWER as error:
                self._backoff.failed(error)
                left -= time.monotonic() - began
                if tries == _TRIES:
                    raise
            except FetchError:
                self._backoff.answered()
                raise
            else:
                self._backoff.answered()
                return seconds

    def _make(self, excerpt: Excerpt, kind: str, work: Path, target: Path) -> float:
        with TemporaryDirectory(dir=work) as folder, disk_watch(Path(folder)):
            made = Path(folder) / target.name
            if kind == "audio":
                seconds = excerpt.cut_audio(made, self._options.sample_rate)
            else:
                made.mkdir()
                seconds = excerpt.cut_frames(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
        return seconds


def work_folder(root: Path, target: str | Path, kind: str) -> Path:
    """The folder of what is not finished of a target."""
    return root / PARTIAL / f"{Path(target).name}.{kind}"
