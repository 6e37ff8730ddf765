"""Where outputs go: inside the folder, never over what is there, all of an input's or none."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from soundfile import LibsndfileError
from torch import Tensor

from ..queries.naming import RESIDUAL
from ..utils.audio_file import AudioStream
from ..utils.files import NoSpaceError, atomic_write, join_name
from ..utils.own_sounds import is_ours, new_sound
from .formats import OutputFormat

_MOST_WAV = 2**32 - 2**16  # bytes that the header of a WAV can count; beyond, it is RF64


@dataclass(frozen=True)
class OutputPlan:
    """Which files a batch writes."""

    outputs: dict[Path, list[Path]]  # of each input to separate
    owners: dict[Path, Path]  # the first input that each output belongs to
    left_out: dict[Path, str]  # inputs that are outputs themselves, and why they are taken for it
    format: OutputFormat


def plan_outputs(
    inputs: Sequence[Path], names: Sequence[str], out: Path | None, format: OutputFormat
) -> OutputPlan:
    """Gives the outputs of each input, `<input>_<name>.wav` in `out` or else in its own folder."""
    if out is not None and out.exists() and not out.is_dir():
        raise ValueError(f"Expected a folder to write to, found a file at {out}.")
    outputs = {
        path: [
            (out or path.parent) / join_name(path.stem, f"_{name}.{format.name}") for name in names
        ]
        for path in inputs
    }
    resolved = {output.resolve(): path for path, files in outputs.items() for output in files}
    left_out = {path: "an earlier separation wrote it" for path in inputs if is_ours(path)}
    for path in inputs:
        if (owner := resolved.get(path.resolve())) is not None:
            left_out.setdefault(path, f"named like an output of {owner}")
    outputs = {path: files for path, files in outputs.items() if path not in left_out}
    owners: dict[Path, Path] = {}
    for path, files in outputs.items():
        for output in files:
            owners.setdefault(output, path)
    return OutputPlan(outputs, owners, left_out, format)


def missing_outputs(
    path: Path, plan: OutputPlan, *, overwrite: bool, skip_existing: bool
) -> list[Path]:
    """Says which outputs of an input are to be written; FileExistsError if one must not be."""
    outputs = plan.outputs[path]
    for output in outputs:
        if plan.owners[output] != path:
            raise FileExistsError(
                f"{output} is the output of {plan.owners[output]} too. Separate them one at a "
                "time, with different --out."
            )
    existing = [output for output in outputs if output.exists()]
    if overwrite or not existing:
        return outputs
    if not skip_existing:
        raise FileExistsError(
            f"{existing[0]} exists already. Replace it with --overwrite, or keep what is finished "
            "with --skip-existing."
        )
    missing = [output for output in outputs if output not in existing]
    if missing and existing[-1].name == join_name(path.stem, f"_{RESIDUAL}.{plan.format.name}"):
        raise FileExistsError(
            f"{existing[-1]} exists already, but not {missing[0]}: it is what other queries left. "
            "Replace it with --overwrite, or choose another folder with --out."
        )
    return missing


def write_outputs(
    outputs: Sequence[Path],
    wanted: Sequence[Path],
    pieces: Iterable[Tensor],
    source: AudioStream,
    format: OutputFormat,
) -> None:
    """Writes a track to each wanted output as pieces (outputs, C, T) come; all files, or none."""
    # The residual is the last one, also to appear.
    is_rf64 = format.name == "wav" and not _fits_wav(source, format)
    peaks = dict.fromkeys(wanted, 0.0)
    try:
        with ExitStack() as stack:
            # Those opened last are renamed first.
            temporaries = {
                output: stack.enter_context(atomic_write(output)) for output in reversed(wanted)
            }
            files = {
                output: stack.enter_context(
                    new_sound(
                        temporaries[output],
                        format="RF64" if is_rf64 else format.name.upper(),
                        samplerate=source.sample_rate,
                        channels=source.channels,
                        subtype=format.subtype,
                    )
                )
                for output in outputs
                if output in temporaries
            }
            for piece in pieces:
                for output, track in zip(outputs, piece, strict=True):
                    if output in files:
                        files[output].write(track.T.numpy())
                        peaks[output] = max(peaks[output], track.abs().max().item())
    except NoSpaceError:
        raise
    except (OSError, LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"Could not write to {outputs[0].parent} ({reason}). Choose another folder with --out."
        ) from error
    if not format.is_exact:
        _warn_of_cuts(peaks)


def _warn_of_cuts(peaks: dict[Path, float]) -> None:
    for output, peak in peaks.items():
        if peak > 1:
            warnings.warn(
                f"{output} is cut off at ±1, its samples reach ±{peak:.2f}: wav of 32 bits holds "
                "them.",
                stacklevel=2,
            )


def _fits_wav(source: AudioStream, format: OutputFormat) -> bool:
    margin = 1 if source.exact else 2
    sample = (format.bits or 32) // 8
    return margin * sample * source.frames * source.channels < _MOST_WAV
