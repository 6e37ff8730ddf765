"""Separating files: inputs and queries in, a file for each query out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..models import QueriedSeparator, Score
from ..models.inference import open_input
from ..queries import Query, QueryEmbedding, encode_queries
from ..queries.naming import output_names
from .formats import OutputFormat
from .log import BatchLog, LogRow
from .outputs import OutputPlan, missing_outputs, plan_outputs, write_outputs

# Where memory does not suffice, PyTorch and what is below it raise RuntimeErrors of many kinds.
FAILURES = (ValueError, OSError, MemoryError, RuntimeError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileResult:
    """What became of one input.

    Attributes:
        path: the input.
        status: "ok", "failed", "skipped" (finished before, or nothing to be found) or "left out"
            (an output itself).
        reason: why, of one that failed, was left out or has nothing to be found.
        queries: names of what was asked for.
        outputs: its files, a path for each query and one for the residual; none where it failed.
        written: those that were written now.
        scores: the `Score` of each file of estimates.
        seconds: that it took.
    """

    path: Path
    status: str
    reason: str = ""
    queries: list[str] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    scores: dict[Path, Score] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class FileResults:
    """What became of a batch of files.

    Attributes:
        written: files written.
        failed: why, for each input that could not be separated.
        skipped: inputs that were finished before.
        outputs: inputs that were left out because they are outputs themselves, and how one knows:
            an earlier separation wrote them, or they are named like an output of another input.
        scores: the `Score` of each file of estimates.
    """

    written: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    skipped: list[Path] = field(default_factory=list)
    outputs: dict[Path, str] = field(default_factory=dict)
    scores: dict[Path, Score] = field(default_factory=dict)

    def add(self, result: FileResult) -> None:
        """Takes in what became of one input."""
        self.written += result.written
        self.scores |= result.scores
        if result.status == "failed":
            self.failed[result.path] = result.reason
        elif result.status == "skipped":
            self.skipped.append(result.path)
        elif result.status == "left out":
            self.outputs[result.path] = result.reason


def separate_files(
    model: QueriedSeparator,
    inputs: Iterable[str | Path],
    queries: Sequence[str | Query],
    **options: Any,
) -> FileResults:
    """Separates each file by every query, and writes `<file>_<query>.wav`.

    Args:
        model: a separator.
        inputs: audio files.
        queries: texts, and `Query`s of audio examples, pictures and blends.
        **options: those of `separate_each`, which does the same file by file.

    Returns:
        The files written, their scores, and why others were not written.

    Raises:
        ValueError: as `separate_each`.
    """
    results = FileResults()
    for result in separate_each(model, inputs, queries, **options):
        results.add(result)
    return results


def separate_each(
    model: QueriedSeparator,
    inputs: Iterable[str | Path],
    queries: Sequence[str | Query],
    *,
    without: Sequence[str | Query] = (),
    out: str | Path | None = None,
    residual: bool = False,
    share: bool = False,
    extend: bool = True,
    gate: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
    log: bool = False,
    batch_size: int = 1,
    progress: bool = False,
    format: str = "wav",
    bits: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[FileResult]:
    """Separates one file after the other, and tells of each when it is done.

    Rate, channels and length are the input's, and with the residual the files add up to the input.
    Files are read, separated and written in windows: memory does not grow with their length. A file
    that fails does not stop the others, and leaves nothing behind.

    Args:
        model: a separator.
        inputs: audio files; what a separation wrote, and what is named like another one's output,
            is left out, and told.
        queries: texts, and `Query`s of audio examples, pictures and blends.
        without: negative queries. Each estimate loses what these take of it; without queries, the
            input does, and the only estimate is `<file>_without_<...>.wav`.
        out: folder to write to; by default each input's own.
        residual: also write `<file>_residual.wav`, what is in no estimate.
        share: the queries name all that sounds, and share the input among them.
        extend: of an input above the model's rate, share out what is above the model's band, too.
        gate: lower what is very unlikely there, see `QueriedSeparator.separate`.
        overwrite: replace files that exist.
        skip_existing: keep files that exist, and leave out inputs that have all of theirs.
        log: append a row for each input to `separated.csv` in the folder of its outputs.
        batch_size: windows in one pass of the model; on a GPU, several are faster.
        progress: show a bar for each file, on standard error.
        format: "wav", "flac", "mp3" or "ogg". All but a wav of 32 bits cut off what passes ±1,
            with a warning.
        bits: of a sample, 16, 24 or 32 (floating point); by default 32 of wav and 24 of flac.
        on_progress: called after each window with the samples of the file that are done, and how
            many it has.

    Yields:
        What became of each input, those that are left out first.

    Raises:
        ValueError: when a query is empty or of a kind that the model was not trained for, when two
            have the same file name, when files are to be replaced and kept, and for a format that
            is not known or lacks the bits.
    """
    if overwrite and skip_existing:
        raise ValueError("Expected --overwrite or --skip-existing, received both. Choose one.")
    names = output_names(queries, residual, without)
    written_as = OutputFormat(format, bits)
    plan = plan_outputs([Path(path) for path in inputs], names, out and Path(out), written_as)
    query, asked = encode_queries(model, queries, without), [Query.of(one).name for one in queries]
    options = {"num_negative": len(without), "residual": residual, "share": share}
    options |= {"extend": extend, "gate": gate, "batch_size": batch_size}
    batch = _Batch(model, plan, query, options, overwrite, skip_existing, progress, on_progress)
    for path, reason in plan.left_out.items():
        yield FileResult(path, "left out", reason)
    logs: dict[Path, BatchLog] = {}
    for path, outputs in plan.outputs.items():
        started, folder = time.monotonic(), outputs[0].parent
        try:
            if log and folder not in logs:
                logs[folder] = BatchLog(folder)
            result = batch.treat(path)
        except FAILURES as error:
            _log.debug("%s cannot be separated:", path, exc_info=True)
            reason = " ".join(str(error).split()) or type(error).__name__
            result = FileResult(path, "failed", reason)
        result = replace(result, queries=asked, seconds=time.monotonic() - started)
        if folder in logs:
            _add_row(logs[folder], result)
        yield result
    for batch_log in logs.values():
        batch_log.compact()


@dataclass(frozen=True)
class _Batch:
    """What all inputs of a batch have in common."""

    model: QueriedSeparator
    plan: OutputPlan
    query: QueryEmbedding
    options: dict[str, Any]  # of streams
    overwrite: bool
    skip_existing: bool
    progress: bool
    on_progress: Callable[[int, int], None] | None

    def treat(self, path: Path) -> FileResult:
        """Writes what is missing of an input's outputs."""
        outputs = self.plan.outputs[path]
        missing = missing_outputs(
            path, self.plan, overwrite=self.overwrite, skip_existing=self.skip_existing
        )
        if not missing:
            return FileResult(path, "skipped", outputs=outputs)
        with open_input(path, self.model, path.name if self.progress else None) as audio:
            rate, seconds = audio.sample_rate, audio.frames / audio.sample_rate
            _log.debug("%s: %.2f s, %d channels at %d Hz", path, seconds, audio.channels, rate)
            stream = self.model.separate_stream(audio.blocks, self.query, rate, **self.options)
            pieces = _told(stream, audio.frames, self.on_progress) if self.on_progress else stream
            write_outputs(outputs, missing, pieces, audio, self.plan.format)
        # The residual, if there is one, has no score.
        scores = dict(zip(outputs, stream.scores[0], strict=False))
        return FileResult(path, "ok", outputs=outputs, written=missing, scores=scores)


def _told(
    pieces: Iterable[Tensor], total: int, on_progress: Callable[[int, int], None]
) -> Iterator[Tensor]:
    done = 0
    for piece in pieces:
        yield piece
        done += piece.shape[-1]
        on_progress(done, total)


def _add_row(log: BatchLog, result: FileResult) -> None:
    if result.status == "skipped":
        log.skip(result.path, result.outputs)
        return
    names = [output.name for output in result.outputs]
    row = LogRow(result.status, result.reason, result.seconds, names)
    for output, score in result.scores.items():
        row.levels[output.name] = None if score.level == -math.inf else round(score.level, 2)
        if score.likelihood is not None:
            row.likelihoods[output.name] = round(score.likelihood, 4)
    log.add(result.path, row)
