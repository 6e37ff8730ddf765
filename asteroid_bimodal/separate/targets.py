"""Where outputs go: inside the folder, never over what is there, all of an input's or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from soundfile import LibsndfileError, SoundFile
from torch import Tensor

from ..utils.audio_file import AudioStream
from ..utils.files import atomic_write
from .naming import RESIDUAL

_MOST_WAV = 2**32 - 2**16  # bytes that the header of a WAV can count; beyond, it is RF64


def plan_targets(
    inputs: Sequence[Path], names: Sequence[str], out: str | Path | None
) -> tuple[dict[Path, list[Path]], dict[Path, Path]]:
    """Gives the outputs of each input.

    Args:
        inputs: audio files.
        names: what the outputs add to an input's name.
        out: folder to write to; by default each input's own.

    Returns:
        The outputs of each input to separate; and the inputs that are named like an output, most
        likely of an earlier run, with the input whose output that is.

    Raises:
        ValueError: when there is a file in place of the folder.
    """
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise ValueError(f"Expected a folder to write to, found a file at {out}.")
    plan = {}
    for path in inputs:
        folder = path.parent if out is None else Path(out)
        plan[path] = [folder / f"{path.stem}_{name}.wav" for name in names]
    origin = {target.resolve(): path for path, targets in plan.items() for target in targets}
    outputs = {path: origin[path.resolve()] for path in plan if path.resolve() in origin}
    return {path: targets for path, targets in plan.items() if path not in outputs}, outputs


def missing_targets(
    path: Path,
    targets: Sequence[Path],
    owners: dict[Path, Path],
    *,
    overwrite: bool,
    skip_existing: bool,
) -> list[Path]:
    """Says which outputs are to be written, and notes whose they are.

    Args:
        path: the input.
        targets: its outputs.
        owners: of all outputs so far; added to.
        overwrite: write all of them.
        skip_existing: leave those that exist as they are.

    Raises:
        FileExistsError: when an output is another input's in this run, or exists already.
    """
    for target in targets:
        if owners.setdefault(target, path) != path:
            raise FileExistsError(
                f"{target} is the output of {owners[target]} too. Separate them one at a time, "
                "with different --out."
            )
    existing = [target for target in targets if target.exists()]
    if overwrite or not existing:
        return list(targets)
    if not skip_existing:
        raise FileExistsError(
            f"{existing[0]} exists already. Replace it with --overwrite, or keep what is finished "
            "with --skip-existing."
        )
    missing = [target for target in targets if target not in existing]
    if missing and existing[-1].stem == f"{path.stem}_{RESIDUAL}":
        raise FileExistsError(
            f"{existing[-1]} exists already, but not {missing[0]}: it is what other queries left. "
            "Replace it with --overwrite, or choose another folder with --out."
        )
    return missing


def write_targets(
    targets: Sequence[Path], wanted: Sequence[Path], pieces: Iterable[Tensor], source: AudioStream
) -> None:
    """Writes one track to each target while they come; all of the files, or none.

    Args:
        targets: the outputs; the residual is the last one, also to appear.
        wanted: those of them to write.
        pieces: the tracks, (number of targets, C, T) at a time.
        source: where they come from.

    Raises:
        OSError: when a file cannot be written.
    """
    style = {
        "samplerate": source.sample_rate,
        "channels": source.channels,
        # Floats: an estimate may pass ±1 where the input was clipped, and is not cut off.
        "subtype": "FLOAT",
        "format": "WAV" if _fits_wav(source) else "RF64",
    }
    try:
        with ExitStack() as stack:
            # Those opened last are renamed first.
            temporaries = {
                target: stack.enter_context(atomic_write(target)) for target in reversed(wanted)
            }
            files = [
                stack.enter_context(SoundFile(temporaries[target], "w", **style))
                if target in temporaries
                else None
                for target in targets
            ]
            for piece in pieces:
                for file, track in zip(files, piece, strict=True):
                    if file is not None:
                        file.write(track.T.numpy())
    except (OSError, LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"Could not write to {targets[0].parent} ({reason}). Choose another folder with --out."
        ) from error


def _fits_wav(source: AudioStream) -> bool:
    if source.frames is None:
        return False
    margin = 1 if source.exact else 2
    return margin * 4 * source.frames * source.channels < _MOST_WAV
