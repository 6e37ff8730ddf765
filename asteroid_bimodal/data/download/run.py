"""Downloading a set: what is there is taken in, the rest fetched, each outcome in the ledger."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from ...utils.threads import cancelled_pool
from ..frames import frames_folder
from .annotations import list_clips
from .clips import Entry, Listing, write_clips
from .errors import DiskFullError, DownloadStoppedError, FetchError, RefusedError, disk_watch
from .excerpt import check_audio
from .fetch import PARTIAL, ClipFetcher, Outcome, work_folder
from .ledger import DownloadLedger, Row, lock, open_ledger
from .published import read_annotations
from .video import FetchOptions, check_tools

_MAX_UNANSWERED = 5  # clips without an answer, one after the other, that end a run
_SEVERITY = {"ok": 0, "gone": 1, "failed": 2}


@dataclass(frozen=True)
class Summary:
    """How the fetching of clips ended so far.

    Attributes:
        ok: clips of which everything is there.
        gone: clips that are private, removed, blocked or not for us.
        failed: clips that the next run tries again.
        reasons: why clips are not there, most frequent first.
        untried: clips that a run that had to stop did not come to.
    """

    ok: int
    gone: int
    failed: int
    reasons: list[tuple[str, int]]
    untried: int = 0

    @property
    def missing(self) -> float:
        """The share of the clips that is not there, from 0 to 1."""
        missing = self.gone + self.failed + self.untried
        return missing / (self.ok + missing) if missing else 0.0

    def __str__(self) -> str:
        total = self.ok + self.gone + self.failed + self.untried
        text = f"{self.ok} of {total} clips are there; {self.gone} gone, {self.failed} failed"
        text += f", {self.untried} not tried" if self.untried else ""
        text += f": {100 * self.missing:.1f} % missing."
        lines = [f"  {count} × {reason}" for reason, count in self.reasons[:5]]
        return "\n".join([text, *lines])


def read_set(
    name: str,
    root: str | Path,
    annotations: Sequence[str | Path] = (),
    *,
    seed: int = 0,
    timeout: float = 30.0,
) -> Listing:
    """Reads the annotations of a set and notes its clips in `<root>/clips.csv`.

    Args:
        name: music, vggsound or audiocaps.
        root: folder of the set.
        annotations: files; published ones, which are fetched, if there are none.
        seed: of MUSIC's split.
        timeout: how long to wait for a published file, in seconds.

    Raises:
        FileNotFoundError: for a file that is neither there nor published.
        ValueError: for a file that is not what the set publishes.
        DownloadStoppedError: when a published file cannot be fetched, the disk is full or another
            command is at work in the folder.
    """
    listing = list_clips(
        name, read_annotations(name, annotations, root, timeout=timeout), seed=seed
    )
    with disk_watch(Path(root)), lock(root):
        write_clips(root, listing.entries)
    return listing


def download(
    entries: Sequence[Entry],
    root: str | Path,
    *,
    options: FetchOptions | None = None,
    frames: bool = False,
    jobs: int = 4,
    sleep: float = 1.0,
    retry_gone: bool = False,
) -> Summary:
    """Takes in clips that are there and fetches the others; run again, those that are missing.

    Files that are there need neither a network nor yt-dlp.

    Args:
        entries: the clips.
        root: folder of the set; `<root>/download.csv` is the ledger.
        options: how to fetch.
        frames: whether to fetch a picture of each second, too.
        jobs: how many clips at a time.
        sleep: seconds that each job waits before a clip, see docs/download.md.
        retry_gone: whether clips that were gone are tried again.

    Returns:
        How many of these clips are there.

    Raises:
        DownloadStoppedError: when the run cannot go on: no network, no space, no yt-dlp or ffmpeg;
            its `summary` tells how far it came.
        ValueError: for options that make no sense, and another file in the ledger's place.
    """
    if jobs < 1:
        raise ValueError(f"Give 1 job or more, received {jobs}.")
    root, stop = Path(root), threading.Event()
    fetcher = ClipFetcher(root, options or FetchOptions(), sleep, stop)
    with open_ledger(root) as ledger:
        _take_in(entries, root, ledger, frames, jobs)

        def is_missing(path: str) -> bool:
            row = ledger.rows.get(path)
            gone = row and row.status == "gone" and not retry_gone
            return not gone and not _is_there(root, row)

        missing = []
        for entry in entries:
            products = _products(entry, frames)
            if wanted := {kind: path for kind, path in products.items() if is_missing(path)}:
                missing.append((entry, wanted))
        if missing:
            try:
                check_tools()
                _fetch_all(fetcher, missing, ledger, jobs, stop)
            except DownloadStoppedError as error:
                raise _stopped_error(error, _summary(entries, root, ledger.rows, frames)) from error
            finally:
                fetcher.close()
            _remove_empty(root / PARTIAL)
        return _summary(entries, root, ledger.rows, frames)


def _take_in(
    entries: Sequence[Entry], root: Path, ledger: DownloadLedger, frames: bool, jobs: int
) -> None:
    """Notes what is there without a row that says so: files of a set that was copied, and whole."""

    def is_new(path: str) -> bool:
        row = ledger.rows.get(path)
        return not (row and row.status == "ok") and (root / path).exists()

    found = [
        (entry, kind, path)
        for entry in entries
        for kind, path in _products(entry, frames).items()
        if is_new(path)
    ]
    with cancelled_pool(jobs) as pool:
        lengths = pool.map(lambda product: _length_of(root / product[2]), found)
        bar = tqdm(lengths, total=len(found), desc="checking files", unit="clip", disable=None)
        for (entry, kind, path), seconds in zip(found, bar, strict=True):
            if seconds is not None:
                ledger.append(Row(path, entry.id, entry.start, "ok", "found", seconds))
                shutil.rmtree(work_folder(root, path, kind), ignore_errors=True)


def _length_of(target: Path) -> float | None:
    """The length of what is there already, None when it is broken."""
    if target.is_dir():  # frames: the folder gets its name when it is whole
        return float(len(list(target.iterdir()))) or None
    try:
        return check_audio(target) if target.is_file() else None
    except FetchError:
        return None


def _products(entry: Entry, frames: bool) -> dict[str, str]:
    products = {"audio": entry.path}
    if frames:
        products["frames"] = frames_folder(entry.path).as_posix()
    return products


def _fetch_all(
    fetcher: ClipFetcher,
    missing: Sequence[tuple[Entry, dict[str, str]]],
    ledger: DownloadLedger,
    jobs: int,
    stop: threading.Event,
) -> None:
    """Fetches clips; those without an answer are in the ledger only when another one gets one."""
    # Without a network nothing can be said about a clip. When too many in a row get no answer, or
    # none gets one at all, the run ends and they stay as untried as they were.
    counts: Counter[str] = Counter(ok=0, gone=0, failed=0)
    unanswered: list[Outcome] = []
    any_answered = False

    def write(*outcomes: Outcome) -> None:
        for outcome in outcomes:
            for row in outcome.rows:
                ledger.append(row)
            counts[_worst(outcome.rows).status] += 1

    with (
        cancelled_pool(jobs) as pool,
        tqdm(total=len(missing), desc="downloading", unit="clip", disable=None) as bar,
    ):
        try:
            for outcome in _outcomes(pool, fetcher, missing, 2 * jobs):
                if outcome.error:
                    unanswered.append(outcome)
                    if len(unanswered) >= max(_MAX_UNANSWERED, 2 * jobs):
                        raise _no_answer(unanswered)
                elif outcome.answered:
                    any_answered = True
                    write(*unanswered, outcome)
                    unanswered.clear()
                else:
                    write(outcome)
                bar.set_postfix(counts, refresh=False)
                bar.update()
            if unanswered and not any_answered:
                raise _no_answer(unanswered)
            write(*unanswered)
        except BaseException:
            stop.set()
            raise


def _outcomes(
    pool: ThreadPoolExecutor,
    fetcher: ClipFetcher,
    missing: Sequence[tuple[Entry, dict[str, str]]],
    at_a_time: int,
) -> Iterator[Outcome]:
    clips = iter(missing)
    running: set[Future[Outcome]] = set()
    while True:
        more = islice(clips, at_a_time - len(running))
        running |= {pool.submit(fetcher.fetch, *clip) for clip in more}
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _no_answer(unanswered: Sequence[Outcome]) -> DownloadStoppedError:
    count, error = len(unanswered), unanswered[-1].error
    if isinstance(error, RefusedError):
        return DownloadStoppedError(
            f"The server refused {count} clips in a row ({error}). Wait some hours, then go on "
            "with fewer --jobs, a longer --sleep, or --cookies of a browser that is let in."
        )
    return DownloadStoppedError(
        f"No answer for {count} clips in a row ({error}). Check the network."
    )


def _stopped_error(error: DownloadStoppedError, summary: Summary) -> DownloadStoppedError:
    stopped = type(error)(
        f"{error} {summary.ok} clips are there, whole; the same command goes on from here."
    )
    if not isinstance(error, DiskFullError):
        stopped.summary = summary
    return stopped


def _is_there(root: Path, row: Row | None) -> bool:
    return row is not None and row.status == "ok" and (root / row.path).exists()


def _summary(
    entries: Sequence[Entry], root: Path, rows: Mapping[str, Row], frames: bool
) -> Summary:
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for entry in entries:
        found = [rows.get(path) for path in _products(entry, frames).values()]
        if bad := [row for row in found if row and row.status != "ok"]:
            worst = _worst(bad)
            counts[worst.status] += 1
            reasons[worst.reason.replace(worst.id, "…")] += 1
        elif all(_is_there(root, row) for row in found):
            counts["ok"] += 1
    told = counts["ok"], counts["gone"], counts["failed"]
    return Summary(*told, reasons.most_common(), untried=len(entries) - sum(told))


def _worst(rows: Sequence[Row]) -> Row:
    return max(rows, key=lambda row: _SEVERITY.get(row.status, -1))


def _remove_empty(partial: Path) -> None:
    """Removes the folder of unfinished files when there are none."""
    for folder in (*partial.glob("*"), partial):
        with suppress(OSError):  # not empty: it holds a part of a video
            folder.rmdir()
