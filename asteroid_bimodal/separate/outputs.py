"""Where outputs go: inside the folder, never over what is there, all of an input's or none."""

from __future__ import annotations

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

_MOST_WAV = 2**32 - 2**16  # bytes that the header of a WAV can count; beyond, it is RF64


@dataclass(frozen=True)
class OutputPlan:
    """Which files a batch writes."""

    outputs: dict[Path, list[Path]]  # of each input to separate
    owners: dict[Path, Path]  # the first input that each output belongs to
    left_out: dict[Path, str]  # inputs that are outputs themselves, and why they are taken for it


def plan_outputs(inputs: Sequence[Path], names: Sequence[str], out: Path | None) -> OutputPlan:
    """Gives the outputs of each input, `<input>_<name>.wav` in `out` or else in its own folder."""
    if out is not None and out.exists() and not out.is_dir():
        raise ValueError(f"Expected a folder to write to, found a file at {out}.")
    outputs = {
        path: [(out or path.parent) / join_name(path.stem, f"_{name}.wav") for name in names]
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
    return OutputPlan(outputs, owners, left_out)


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
    if missing and existing[-1].name == join_name(path.stem, f"_{RESIDUAL}.wav"):
        raise FileExistsError(
            f"{existing[-1]} exists already, but not {missing[0]}: it is what other queries left. "
            "Replace it with --overwrite, or choose another folder with --out."
        )
    return missing


def write_outputs(
    outputs: Sequence[Path], wanted: Sequence[Path], pieces: Iterable[Tensor], source: AudioStream
) -> None:
    """Writes a track to each wanted output as pieces (outputs, C, T) come; all files, or none."""
    # The residual is the last one, also to appear.
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
                output: stack.enter_context(atomic_write(output)) for output in reversed(wanted)
            }
            files = [
                stack.enter_context(new_sound(temporaries[output], **style))
                if output in temporaries
                else None
                for output in outputs
            ]
            for piece in pieces:
                for file, track in zip(files, piece, strict=True):
                    if file is not None:
                        file.write(track.T.numpy())
    except NoSpaceError:
        raise
    except (OSError, LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"Could not write to {outputs[0].parent} ({reason}). Choose another folder with --out."
        ) from error


def _fits_wav(source: AudioStream) -> bool:
    margin = 1 if source.exact else 2
    return margin * 4 * source.frames * source.channels < _MOST_WAV
