"""Separating files by words: inputs and queries in, one WAV for each query out."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from .models import BiModalUNet
from .utils.files import atomic_write, safe_name

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@dataclass
class FileResults:
    """What became of a batch of files: paths written, and a reason for each input that failed."""

    written: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)


def find_inputs(source: str | Path) -> list[Path]:
    """Finds the audio files that a file name, a folder or a glob pattern means.

    Args:
        source: "duet.wav", "recordings/" or "recordings/*.flac".

    Returns:
        The files, sorted.

    Raises:
        FileNotFoundError: when there is none.
    """
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.iterdir() if file.suffix.lower() in AUDIO_SUFFIXES]
    else:
        found = [Path(name) for name in glob.glob(str(source), recursive=True)]
        found = [file for file in found if file.is_file()]
    if not found:
        raise FileNotFoundError(
            f"Expected an audio file, a folder with {', '.join(AUDIO_SUFFIXES)} files or a "
            f"pattern, found nothing at {source}."
        )
    return sorted(found)


def separate_files(
    model: BiModalUNet,
    inputs: Iterable[Path],
    queries: Sequence[str],
    *,
    out: str | Path | None = None,
    residual: bool = False,
    overwrite: bool = False,
) -> FileResults:
    """Separates each file by every query, and writes `<file>_<query>.wav`.

    Rate, channels and length are the input's; nothing is rescaled, so that with the residual the
    files add up to the input. A file that fails does not stop the others.

    Args:
        model: a separator.
        inputs: audio files.
        queries: what to look for.
        out: folder to write to; by default each input's own.
        residual: also write `<file>_residual.wav`, what no query took.
        overwrite: replace files that exist.

    Returns:
        The files written, and why the others were not.

    Raises:
        ValueError: when a query is empty or two mean the same file.
    """
    names = _file_names(queries, residual)
    results = FileResults()
    for path in inputs:
        folder = Path(out) if out is not None else path.parent
        targets = [folder / f"{path.stem}_{name}.wav" for name in names]
        try:
            _check_targets(targets, overwrite)
            tracks, sample_rate = separate_file(model, path, queries, residual=residual)
            for target, track in zip(targets, tracks, strict=True):
                _write(target, track, sample_rate)
            results.written += targets
        except (ValueError, OSError, soundfile.LibsndfileError) as error:
            results.failed[path] = str(error)
    return results


def separate_file(
    model: BiModalUNet, path: Path, queries: Sequence[str], *, residual: bool = False
) -> tuple[list[Tensor], int]:
    """Separates one file at its own rate, with its own channels.

    Args:
        model: a separator.
        path: an audio file.
        queries: what to look for.
        residual: append what no query took.

    Returns:
        One (T, C) signal for each query, and the rate in hertz.
    """
    audio, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    mixture = torch.from_numpy(audio)  # (T, C)
    estimates = model.separate(mixture.T, list(queries), sample_rate=sample_rate)  # (Q, C, T)
    tracks = list(estimates.transpose(1, 2).cpu())
    if residual:
        tracks.append(mixture - sum(tracks))
    return tracks, sample_rate


def _file_names(queries: Sequence[str], residual: bool) -> list[str]:
    """One safe and distinct name for each query."""
    empty = [query for query in queries if not query.strip()]
    if empty or not queries:
        raise ValueError("Expected queries of at least one word, such as violin; received none.")
    names = [safe_name(query) for query in queries] + ["residual"] * residual
    if len({name.lower() for name in names}) < len(names):
        raise ValueError(
            f"Expected queries with different file names, received {', '.join(names)}. "
            "Ask for one of them at a time."
        )
    return names


def _check_targets(targets: Sequence[Path], overwrite: bool) -> None:
    existing = [target for target in targets if target.exists()]
    if existing and not overwrite:
        raise FileExistsError(f"{existing[0]} exists already. Replace it with --overwrite.")


def _write(path: Path, track: Tensor, sample_rate: int) -> None:
    # Floats: an estimate may pass ±1 where the input was clipped, and must not be cut off.
    with atomic_write(path) as temporary:
        soundfile.write(temporary, track.numpy(), sample_rate, subtype="FLOAT")
