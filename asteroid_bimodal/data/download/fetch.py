"""Fetching one clip: its sound, and its frames if they are wanted."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .clips import Entry
from .ledger import Row
from .media import check_audio, cut_audio, cut_frames
from .patience import Patience
from .problems import (
    FetchError,
    GoneError,
    RefusedError,
    UnreachableError,
    disk_watch,
)
from .video import FetchOptions, Video

PARTIAL = ".partial"  # folder of what is not finished
_TRIES = 3
_TROUBLES = (UnreachableError, RefusedError)


@dataclass(frozen=True)
class Result:
    """How fetching a file, or a folder of frames, ended.

    Attributes:
        row: for the ledger.
        answered: whether a server said something about it.
        trouble: what kept all servers from it, None when one answered or none was asked.
    """

    row: Row
    answered: bool
    trouble: FetchError | None = None


class Fetcher:
    """Fetches clips of a set, for several threads at once.

    Files appear under their names when they are whole and checked; until then they are in the
    folder `.partial`.

    Args:
        root: folder of the set.
        options: how to fetch.
        sleep: seconds between two clips of a thread.
        stop: ends everything when it is set.
    """

    def __init__(
        self, root: Path, options: FetchOptions, sleep: float, stop: threading.Event
    ) -> None:
        self.root = root
        self.options = options
        self._patience = Patience(sleep, stop)
        self._stop = stop

    def fetch(self, entry: Entry, products: Mapping[str, str]) -> list[Result]:
        """Fetches what is missing of a clip.

        Args:
            entry: the clip.
            products: where its "audio" and its "frames" belong, relative to the folder of the set.

        Returns:
            A result for each product.

        Raises:
            DownloadStoppedError: when no clip could be fetched any more.
        """
        video = Video(entry.id, self.options, self._stop)
        results: list[Result] = []
        lost: FetchError | None = None  # what also holds for the rest of the video
        for kind, path in products.items():
            try:
                if lost:
                    raise lost
                results.append(self._product(video, entry, kind, path))
            except FetchError as error:
                lost = error if isinstance(error, (GoneError, *_TROUBLES)) else None
                status = "gone" if isinstance(error, GoneError) else "failed"
                row = Row(path, entry.id, entry.start, status, str(error))
                trouble = error if isinstance(error, _TROUBLES) else None
                results.append(Result(row, trouble is None, trouble))
        return results

    def _product(self, video: Video, entry: Entry, kind: str, path: str) -> Result:
        """Returns what went well; raises what did not."""
        target = self.root / path
        work = self.root / PARTIAL / f"{target.name}.{kind}"
        seconds = _found(target)
        if seconds is not None:
            return Result(Row(path, entry.id, entry.start, "ok", "found", seconds), False)
        keep = False
        try:
            with disk_watch(work):
                work.mkdir(parents=True, exist_ok=True)
                seconds = self._patiently(video, entry, kind, work, target)
        except FetchError as error:
            # What has arrived of a whole video is of use to the next run.
            interrupted = isinstance(error, _TROUBLES) or self._stop.is_set()
            keep = interrupted and entry.seconds is None
            raise
        finally:
            if not keep:
                shutil.rmtree(work, ignore_errors=True)
        return Result(Row(path, entry.id, entry.start, "ok", "", seconds), True)

    def _patiently(self, video: Video, entry: Entry, kind: str, work: Path, target: Path) -> float:
        tries = 0
        while True:
            self._patience.wait()
            tries += 1
            try:
                seconds = self._make(video, entry, kind, work, target)
            except _TROUBLES as error:
                self._patience.trouble(error)
                if tries == _TRIES:
                    raise
            except FetchError:
                self._patience.answered()
                raise
            else:
                self._patience.answered()
                return seconds

    def _make(self, video: Video, entry: Entry, kind: str, work: Path, target: Path) -> float:
        whole = entry.seconds is None
        media = video.download(kind, work) if whole else video.find(kind)
        excerpt = {
            "start": entry.start,
            "seconds": entry.seconds,
            "timeout": self.options.timeout,
            "stop": self._stop,
        }
        with TemporaryDirectory(dir=work) as folder, disk_watch(Path(folder)):
            made = Path(folder) / target.name
            if kind == "audio":
                rate = self.options.sample_rate
                seconds = cut_audio(media, made, sample_rate=rate, **excerpt)
            else:
                made.mkdir()
                seconds = cut_frames(media, made, **excerpt)
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
        return seconds


def _found(target: Path) -> float | None:
    """The length of what is there already, None when it is not there or broken.

    A folder of frames is whole: it gets its name when it is.
    """
    if target.is_dir():
        return float(len(list(target.iterdir()))) or None
    try:
        return check_audio(target, None) if target.is_file() else None
    except FetchError:
        return None
