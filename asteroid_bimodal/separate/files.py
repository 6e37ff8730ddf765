"""Separating files: inputs and queries in, one WAV for each query out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..models import QueriedSeparator, SeparationResult
from ..models.inference import open_input
from ..queries import Query, encode_queries
from ..queries.naming import output_names
from .log import BatchLog, LogRow
from .outputs import missing_outputs, plan_outputs, write_outputs

# Where memory does not suffice, PyTorch and what is below it raise RuntimeErrors of many kinds.
_FAILURES = (ValueError, OSError, MemoryError, RuntimeError)


@dataclass
class FileResults:
    """What became of a batch of files.

    Attributes:
        written: files written.
        failed: why, for each input that could not be separated.
        skipped: inputs that were finished before.
        outputs: inputs that were left out because they are outputs themselves, and how one knows:
            an earlier separation wrote them, or they are named like an output of another input.
        presence: presence score of each file of estimates, from 0 to 1; see
            `MaskedSpectra.presence`.
    """

    written: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    skipped: list[Path] = field(default_factory=list)
    outputs: dict[Path, str] = field(default_factory=dict)
    presence: dict[Path, float] = field(default_factory=dict)


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
        inputs: audio files; what a separation wrote, and what is named like another one's output,
            is left out, and listed.
        queries: texts, and `Query`s of audio examples, pictures and blends.
        without: negative queries. Each estimate loses what these take of it; without queries, the
            input does, and the only estimate is `<file>_without_<...>.wav`.
        out: folder to write to; by default each input's own.
        residual: also write `<file>_residual.wav`, what is in no estimate.
        overwrite: replace files that exist.
        skip_existing: keep files that exist, and leave out inputs that have all of theirs.
        log: append a row for each input to `separated.csv` in the folder of its outputs.
        batch_size: windows in one pass of the model; on a GPU, several are faster.
        progress: show a bar for each file, on standard error.

    Returns:
        The files written, their presence scores, and why others were not written.

    Raises:
        ValueError: when a query is empty or of a kind that the model was not trained for, when two
            have the same file name, and when files are to be replaced and kept.
    """
    if overwrite and skip_existing:
        raise ValueError("Expected --overwrite or --skip-existing, received both. Choose one.")
    names = output_names(queries, residual, without)
    plan = plan_outputs([Path(path) for path in inputs], names, out and Path(out))
    query = encode_queries(model, queries, without)
    options = {"num_negative": len(without), "residual": residual, "batch_size": batch_size}
    results, logs = FileResults(outputs=plan.left_out), {}

    def separate(path: Path, missing: list[Path], title: str | None) -> dict[Path, float]:
        """Writes what is missing of a file's outputs, and returns the presence scores of all."""
        with open_input(path, model, title if progress else None) as audio:
            stream = model.separate_stream(audio.blocks, query, audio.sample_rate, **options)
            write_outputs(plan.outputs[path], missing, stream, audio)
        # The residual, if there is one, has no score.
        return dict(zip(plan.outputs[path], stream.presence.tolist(), strict=False))

    for number, (path, outputs) in enumerate(plan.outputs.items(), 1):
        started, folder, row = time.monotonic(), outputs[0].parent, LogRow("ok")
        title = path.name if len(plan.outputs) == 1 else f"{number}/{len(plan.outputs)} {path.name}"
        try:
            if log and folder not in logs:
                logs[folder] = BatchLog(folder)
            missing = missing_outputs(path, plan, overwrite=overwrite, skip_existing=skip_existing)
            if not missing:
                results.skipped.append(path)
                if log:
                    logs[folder].skip(path, outputs)
                continue
            presence = separate(path, missing, title)
            results.written.extend(missing)
            results.presence.update(presence)
            scores = {output.name: score for output, score in presence.items()}
            row = LogRow("ok", outputs=[output.name for output in outputs], presence=scores)
        except _FAILURES as error:
            results.failed[path] = " ".join(str(error).split()) or type(error).__name__
            row = LogRow("failed", results.failed[path])
        if folder in logs:
            logs[folder].add(path, replace(row, seconds=time.monotonic() - started))
    for batch_log in logs.values():
        batch_log.compact()
    return results


def separate_file(
    model: QueriedSeparator,
    path: str | Path,
    queries: Sequence[str | Query],
    **options,
) -> SeparationResult:
    """Separates one file into memory: `model.separate` with queries that can name files.

    Args:
        model: a separator.
        path: an audio file.
        queries: as for `separate_files`.
        **options: without, residual, batch_size and progress of `QueriedSeparator.separate`.

    Raises:
        ValueError: as `QueriedSeparator.separate`, and as `separate_files` for queries.
    """
    output_names(queries, options.get("residual", False), options.get("without", ()))
    return model.separate(path, queries, **options)
