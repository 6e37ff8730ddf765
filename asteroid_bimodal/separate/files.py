"""Separating files: inputs and queries in, one WAV for each query out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..models import QueriedSeparator
from ..models.streaming import Presence, separate_stream
from ..queries import Query, QueryEmbedding, encode_queries
from ..utils.audio_file import AudioStream, open_audio
from .log import BatchLog, LogRow
from .naming import output_names
from .targets import missing_targets, plan_targets, write_targets

# Where memory does not suffice, PyTorch and what is below it raise RuntimeErrors of many kinds.
_FAILURES = (ValueError, OSError, MemoryError, RuntimeError)


@dataclass
class FileResults:
    """What became of a batch of files.

    Attributes:
        written: files written.
        failed: why, for each input that could not be separated.
        skipped: inputs that were finished before.
        outputs: inputs that are named like an output of another one, with that one.
        presence: how surely there is what each file of estimates holds, from 0 to 1; see
            `Separation.presence`.
    """

    written: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    skipped: list[Path] = field(default_factory=list)
    outputs: dict[Path, Path] = field(default_factory=dict)
    presence: dict[Path, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FileEstimates:
    """What was found in one file.

    Attributes:
        tracks: (C, T) for each query, then the residual if it was asked for.
        sample_rate: of the file, in hertz.
        presence: of each query, from 0 to 1.
        names: what `separate_files` would add to the file's name for each track.
    """

    tracks: list[Tensor]
    sample_rate: int
    presence: list[float]
    names: list[str]


@dataclass(frozen=True)
class _Question:
    """What to ask of each file."""

    model: QueriedSeparator
    query: QueryEmbedding
    num_without: int
    residual: bool
    batch_size: int = 1

    def ask(self, audio: AudioStream, presence: Presence) -> Iterator[Tensor]:
        return separate_stream(
            self.model,
            audio.blocks,
            self.query,
            audio.sample_rate,
            num_without=self.num_without,
            residual=self.residual,
            batch_size=self.batch_size,
            presence=presence,
        )


def separate_files(
    model: QueriedSeparator,
    inputs: Iterable[str | Path],
    queries: Sequence[str | Query],
    *,
    without: Sequence[str | Query] = (),
    out: str | Path | None = None,
    residual: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
    log: bool = False,
    batch_size: int = 1,
    progress: bool = False,
) -> FileResults:
    """Separates each file by every query, and writes `<file>_<query>.wav`.

    Rate, channels and length are the input's; nothing is rescaled, so that with the residual the
    files add up to the input. Files are read, separated and written in windows: memory does not
    grow with their length. A file that fails does not stop the others, and leaves nothing behind.

    Args:
        model: a separator.
        inputs: audio files; those named like another one's output are left out, and listed.
        queries: what to look for: texts, and `Query`s of sounds, pictures and blends.
        without: what no output is to hold. Each estimate loses what these take of it; without
            queries, the input does, and the only estimate is `<file>_without_<...>.wav`.
        out: folder to write to; by default each input's own.
        residual: also write `<file>_residual.wav`, what is in no estimate.
        overwrite: replace files that exist.
        skip_existing: keep files that exist, and leave out inputs that have all of theirs.
        log: append a row for each input to `separated.csv` in the folder of its outputs.
        batch_size: windows in one pass of the model; on a GPU, several are faster.
        progress: show a bar for each file, on standard error.

    Returns:
        The files written, the presence of what was asked for, and why others were not written.

    Raises:
        ValueError: when a query is empty or of a kind that the model was not trained for, when two
            mean the same file, and when files are to be replaced and kept.
    """
    if overwrite and skip_existing:
        raise ValueError("Expected --overwrite or --skip-existing, received both. Choose one.")
    names = output_names(queries, residual, without)
    plan, outputs = plan_targets([Path(path) for path in inputs], names, out)
    query = encode_queries(model, queries, without)
    question = _Question(model, query, len(without), residual, batch_size)
    batch = _Batch(question, overwrite, skip_existing, log)
    for number, (path, targets) in enumerate(plan.items(), 1):
        title = path.name if len(plan) == 1 else f"{number}/{len(plan)} {path.name}"
        batch.do(path, targets, title if progress else None)
    batch.results.outputs.update(outputs)
    batch.close()
    return batch.results


def separate_file(
    model: QueriedSeparator,
    path: str | Path,
    queries: Sequence[str | Query],
    *,
    without: Sequence[str | Query] = (),
    residual: bool = False,
    batch_size: int = 1,
    progress: bool = False,
) -> FileEstimates:
    """Separates one file at its own rate, with its own channels, and keeps the result in memory.

    Args:
        model: a separator.
        path: an audio file.
        queries: as for `separate_files`.
        without: as for `separate_files`.
        residual: append what is in no estimate.
        batch_size: windows in one pass of the model; on a GPU, several are faster.
        progress: show a bar, on standard error.

    Raises:
        ValueError: as `separate_files`, and for a file that is unreadable, shorter than one frame
            of the model, or holds NaN or infinite samples.
    """
    path, names = Path(path), output_names(queries, residual, without)
    query = encode_queries(model, queries, without)
    question, presence = _Question(model, query, len(without), residual, batch_size), Presence()
    with _open(path, model, path.name if progress else None) as audio:
        tracks = torch.cat(list(question.ask(audio, presence)), dim=-1)
    return FileEstimates(list(tracks), audio.sample_rate, presence.scores, names)


class _Batch:
    """Files that are separated one after another, each with a row in the log."""

    def __init__(
        self, question: _Question, overwrite: bool, skip_existing: bool, log: bool
    ) -> None:
        self.results = FileResults()
        self._question, self._log = question, log
        self._keep = {"overwrite": overwrite, "skip_existing": skip_existing}
        self._owners: dict[Path, Path] = {}
        self._logs: dict[Path, BatchLog] = {}

    def do(self, path: Path, targets: list[Path], title: str | None) -> None:
        """Separates a file, or says why not."""
        started, log, results = time.monotonic(), None, self.results
        try:
            log = self._open_log(targets[0].parent)
            missing = missing_targets(path, targets, self._owners, **self._keep)
            if not missing:
                results.skipped.append(path)
                if log:
                    log.skip(path, targets)
                return
            presence = self._separate(path, targets, missing, title)
            names = [target.name for target in targets]
            scores = {target.name: score for target, score in presence.items()}
            row = LogRow("ok", "", 0.0, names, scores)
            results.written.extend(missing)
            results.presence.update(presence)
        except _FAILURES as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            results.failed[path] = reason
            row = LogRow("failed", reason)
        if log:
            log.add(path, replace(row, seconds=time.monotonic() - started))

    def close(self) -> None:
        """Leaves one row for each input in the logs."""
        for log in self._logs.values():
            log.compact()

    def _separate(
        self, path: Path, targets: list[Path], missing: list[Path], title: str | None
    ) -> dict[Path, float]:
        presence = Presence()
        with _open(path, self._question.model, title) as audio:
            write_targets(targets, missing, self._question.ask(audio, presence), audio)
        # The residual, if there is one, has no score.
        return dict(zip(targets, presence.scores, strict=False))

    def _open_log(self, folder: Path) -> BatchLog | None:
        if not self._log:
            return None
        if folder not in self._logs:
            self._logs[folder] = BatchLog(folder)
        return self._logs[folder]


@contextmanager
def _open(path: Path, model: QueriedSeparator, title: str | None) -> Iterator[AudioStream]:
    """Opens a file whose blocks show a bar and are refused if they are not one frame long."""
    with open_audio(path) as audio:
        rate = audio.sample_rate
        total = None if audio.frames is None else round(audio.frames / rate)
        with tqdm(desc=title, total=total, unit="s", disable=title is None) as bar:
            blocks = _counted(_long_enough(audio.blocks, model, rate), rate, bar)
            yield replace(audio, blocks=blocks)


def _long_enough(blocks: Iterator[Tensor], model: QueriedSeparator, rate: int) -> Iterator[Tensor]:
    shortest, held, length = model.n_fft / model.sample_rate, [], 0
    for block in blocks:
        held.append(block)
        length += block.shape[-1]
        if length >= shortest * rate:
            break
    else:
        raise ValueError(
            f"Expected at least {1000 * shortest:.0f} ms of audio, one frame of the model, "
            f"received {1000 * length / rate:.1f} ms."
        )
    yield from held
    yield from blocks


def _counted(blocks: Iterator[Tensor], rate: int, bar: tqdm) -> Iterator[Tensor]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[-1]
        bar.update(done // rate - bar.n)
