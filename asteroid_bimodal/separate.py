"""Separating files by words: inputs and queries in, one WAV for each query out."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from soundfile import LibsndfileError, SoundFile
from torch import Tensor
from tqdm import tqdm

from .models import BiModalUNet
from .models.streaming import separate_stream
from .utils.files import atomic_write, safe_name

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
RESIDUAL = "residual"
_BLOCK = 2**16  # samples read at a time
_MOST_WAV = 2**32 - 2**16  # bytes that the header of a WAV can count; beyond, it is RF64


@dataclass
class FileResults:
    """What became of a batch of files.

    Attributes:
        written: files written.
        failed: why, for each input that could not be separated.
    """

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
        visible = [file for file in path.iterdir() if not file.name.startswith(".")]
        found = [file for file in visible if file.suffix.lower() in AUDIO_SUFFIXES]
    else:
        found = [Path(name) for name in glob.glob(str(source), recursive=True)]
    found = [file for file in found if file.is_file()]
    if not found:
        kinds = "/".join(suffix[1:] for suffix in AUDIO_SUFFIXES)
        raise FileNotFoundError(
            f"Expected an audio file, a folder of {kinds} files or a quoted pattern such as "
            f"'songs/*.wav', found no audio at {str(source)!r}."
        )
    return sorted(found)


def output_names(queries: Sequence[str], residual: bool = False) -> list[str]:
    """Gives what each output adds to its input's name: safe as a file name, and distinct.

    Args:
        queries: what to look for.
        residual: add a name for what no query took.

    Raises:
        ValueError: when a query is empty or not text, or two have the same file name.

    Examples:
        >>> output_names(["Acoustic guitar", "a/../b"], residual=True)
        ['Acoustic_guitar', 'a_b', 'residual']
    """
    if isinstance(queries, str):
        raise ValueError(f"Expected a list of queries such as [{queries!r}], received {queries!r}.")
    unusable = [query for query in queries if not isinstance(query, str) or not query.strip()]
    if unusable or not queries:
        received = repr(unusable[0]) if unusable else "none"
        raise ValueError(
            f"Expected queries of at least one word, such as 'violin', received {received}."
        )
    names = [safe_name(_checked_text(query)) for query in queries]
    owners = {RESIDUAL: "--residual"} if residual else {}
    for name, query in zip(names, queries, strict=True):
        key = name.casefold()  # some file systems do not tell capitals from small letters
        if key in owners:
            raise ValueError(
                f"Expected queries that give different file names, received {owners[key]} and "
                f"{query!r}, both …_{name}.wav. Rename one, or ask for them one at a time."
            )
        owners[key] = repr(query)
    return [*names, RESIDUAL] if residual else names


def _checked_text(query: str) -> str:
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"Expected queries of text, received {query!r}, which is no Unicode. Write it in UTF-8."
        ) from error
    return query


def separate_files(
    model: BiModalUNet,
    inputs: Iterable[str | Path],
    queries: Sequence[str],
    *,
    out: str | Path | None = None,
    residual: bool = False,
    overwrite: bool = False,
    batch_size: int = 1,
    progress: bool = False,
) -> FileResults:
    """Separates each file by every query, and writes `<file>_<query>.wav`.

    Rate, channels and length are the input's; nothing is rescaled, so that with the residual the
    files add up to the input. Files are read, separated and written in windows: memory does not
    grow with their length. A file that fails does not stop the others, and leaves nothing behind.

    Args:
        model: a separator.
        inputs: audio files; those that another one's outputs would replace are left out.
        queries: what to look for.
        out: folder to write to; by default each input's own.
        residual: also write `<file>_residual.wav`, what no query took.
        overwrite: replace files that exist.
        batch_size: windows in one pass of the model; on a GPU, several are faster.
        progress: show a bar for each file, on standard error.

    Returns:
        The files written, and why the others were not.

    Raises:
        ValueError: when a query is empty or two mean the same file.
    """
    names = output_names(queries, residual)
    results = FileResults()
    plan = _plan([Path(path) for path in inputs], names, out)
    owners: dict[Path, Path] = {}
    for path, targets in plan.items():
        try:
            _check_targets(path, targets, owners, overwrite)
            with _open(path, model, progress) as (file, blocks):
                pieces = separate_stream(
                    model,
                    blocks,
                    list(queries),
                    file.samplerate,
                    residual=residual,
                    batch_size=batch_size,
                )
                _write(targets, pieces, file)
            results.written.extend(targets)
        except (ValueError, OSError, MemoryError, torch.OutOfMemoryError) as error:
            results.failed[path] = str(error)
    return results


def separate_file(
    model: BiModalUNet, path: str | Path, queries: Sequence[str], *, residual: bool = False
) -> tuple[list[Tensor], int]:
    """Separates one file at its own rate, with its own channels, and keeps the result in memory.

    Args:
        model: a separator.
        path: an audio file.
        queries: what to look for.
        residual: append what no query took.

    Returns:
        One (C, T) signal for each query, and the rate in hertz.

    Raises:
        ValueError: for a file that is unreadable, shorter than one frame of the model, or holds
            NaN or infinite samples.
    """
    with _open(Path(path), model) as (file, blocks):
        rate = file.samplerate
        pieces = separate_stream(model, blocks, list(queries), rate, residual=residual)
        return list(torch.cat(list(pieces), dim=-1)), rate


@contextmanager
def _open(
    path: Path, model: BiModalUNet, progress: bool = False
) -> Iterator[tuple[SoundFile, Iterator[Tensor]]]:
    """Opens a file that is long enough; yields it and the blocks (C, T) of its samples."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(SoundFile(path))
        except (LibsndfileError, OSError, TypeError) as error:
            raise _unreadable(path, error) from error
        if not file.frames:
            raise ValueError(f"Expected audio in {path}, found no samples.")
        shortest = model.n_fft / model.sample_rate
        if file.frames < shortest * file.samplerate:
            raise ValueError(
                f"Expected at least {1000 * shortest:.0f} ms of audio, one frame of the model, "
                f"received {1000 * file.frames / file.samplerate:.1f} ms."
            )
        seconds = file.frames / file.samplerate
        bar = tqdm(desc=path.name, total=round(seconds), unit="s", disable=not progress)
        yield file, _read(path, file, stack.enter_context(bar))


def _read(path: Path, file: SoundFile, bar: tqdm) -> Iterator[Tensor]:
    try:
        while len(samples := file.read(_BLOCK, dtype="float32", always_2d=True)):
            yield torch.from_numpy(samples.T.copy())
            bar.update(file.tell() // file.samplerate - bar.n)
    except LibsndfileError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"Expected a wav, flac, ogg or mp3 file at {path}, could not read it: {error}"
    )


def _plan(
    inputs: Sequence[Path], names: Sequence[str], out: str | Path | None
) -> dict[Path, list[Path]]:
    """Gives the outputs of each input, without inputs that are outputs of an earlier run."""
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise ValueError(f"Expected a folder to write to, found a file at {out}.")
    plan = {}
    for path in inputs:
        folder = path.parent if out is None else Path(out)
        plan[path] = [folder / f"{path.stem}_{name}.wav" for name in names]
    outputs = {target.resolve() for targets in plan.values() for target in targets}
    return {path: targets for path, targets in plan.items() if path.resolve() not in outputs}


def _check_targets(
    path: Path, targets: Sequence[Path], owners: dict[Path, Path], overwrite: bool
) -> None:
    """Notes whose the outputs are; they must be nobody else's, in this run or before."""
    for target in targets:
        if owners.setdefault(target, path) != path:
            raise FileExistsError(
                f"{target} is the output of {owners[target]} too. Separate them one at a time, "
                "with different --out."
            )
        if target.exists() and not overwrite:
            raise FileExistsError(f"{target} exists already. Replace it with --overwrite.")


def _write(targets: Sequence[Path], pieces: Iterable[Tensor], source: SoundFile) -> None:
    """Writes one track to each target while they come; all of the files, or none."""
    size = 4 * source.frames * source.channels
    style = {
        "samplerate": source.samplerate,
        "channels": source.channels,
        # Floats: an estimate may pass ±1 where the input was clipped, and is not cut off.
        "subtype": "FLOAT",
        "format": "WAV" if size < _MOST_WAV else "RF64",
    }
    try:
        with ExitStack() as stack:
            temporaries = [stack.enter_context(atomic_write(target)) for target in targets]
            files = [stack.enter_context(SoundFile(path, "w", **style)) for path in temporaries]
            for piece in pieces:
                for file, track in zip(files, piece, strict=True):
                    file.write(track.T.numpy())
    except (OSError, LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"Could not write to {targets[0].parent} ({reason}). Choose another folder with --out."
        ) from error
