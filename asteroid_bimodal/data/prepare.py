"""Preparing audio once: mono FLAC of the training rate, so that no crop is ever resampled."""

from __future__ import annotations

from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import torch
from torch import Tensor
from tqdm import tqdm

from ..dsp.resample import resample_recording
from ..utils.audio_file import UnreadableAudioError, cancels, open_audio
from ..utils.files import atomic_write, raw_path
from ..utils.inputs import AUDIO_SUFFIXES
from ..utils.threads import cancelled_pool
from .batches import Skipped


@dataclass
class PreparedAudio:
    """What became of a folder.

    Attributes:
        written: files made by this run.
        kept: files that were there.
        failed: what cannot be read, and why.
        turned_down: those written that would have passed full scale, and the gain that they got.
    """

    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: list[Skipped] = field(default_factory=list)
    turned_down: dict[Path, float] = field(default_factory=dict)


def resample_clip(source: str | Path, target: str | Path, sample_rate: int) -> float:
    """Writes a file as mono FLAC of 16 bits, whole or not at all; returns the gain it was given.

    Loud music, decoded from a lossy format or resampled, overshoots full scale. Such a file is
    turned down until its peak fits: clipping would add sounds that are not in the recording. The
    gain of others is 1.

    Raises:
        UnreadableAudioError: when the file is missing, is not audio, is empty, is damaged or cut
            off (the message tells the second), or holds NaN.

    Examples:
        >>> import tempfile, numpy as np
        >>> folder = Path(tempfile.mkdtemp())
        >>> soundfile.write(folder / "a.wav", np.zeros((44_100, 2)), 44_100)
        >>> resample_clip(folder / "a.wav", folder / "a.flac", 16_000)
        1.0
        >>> soundfile.info(folder / "a.flac").frames
        16000
    """
    wav, rate = _read_mono(source)
    wav = resample_recording(wav, rate, sample_rate)
    if not torch.isfinite(wav).all():
        raise UnreadableAudioError(f"{source} holds NaN or infinite samples.")
    gain = 1 / max(1.0, float(wav.abs().max()))
    with atomic_write(target) as temporary:
        samples = (gain * wav).numpy()
        soundfile.write(raw_path(temporary), samples, sample_rate, format="FLAC", subtype="PCM_16")
    return gain


def prepare_audio(
    source: str | Path, out: str | Path, *, sample_rate: int, jobs: int = 4
) -> PreparedAudio:
    """Writes every audio file of a folder and its subfolders as mono FLAC of one rate.

    Files keep their place: `a/b.mp3` becomes `a/b.flac`. A run that was interrupted goes on: what
    is there with the right rate, and not older than its source, is kept. `jobs` files are worked
    on at a time.

    Raises:
        FileNotFoundError: when there is no audio.
        ValueError: when two files would become the same one.
    """
    plan = _plan(Path(source), Path(out))
    kept = {path for path, target in plan.items() if _is_done(target, path, sample_rate)}
    todo = [path for path in plan if path not in kept]
    done = PreparedAudio(kept=[target for path, target in plan.items() if path in kept])
    with cancelled_pool(jobs) as pool:
        waiting = {pool.submit(resample_clip, path, plan[path], sample_rate): path for path in todo}
        for future in tqdm(as_completed(waiting), total=len(todo), desc="preparing", disable=None):
            path = waiting[future]
            try:
                gain = future.result()
                done.written.append(plan[path])
                if gain < 1:
                    done.turned_down[plan[path]] = gain
            except UnreadableAudioError as error:
                done.failed.append(Skipped(str(path), str(error)))
    return done


def find_audio(folder: str | Path) -> list[Path]:
    """Lists the audio files of a folder and its subfolders; hidden ones are not looked at."""
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    )


def _plan(source: Path, out: Path) -> dict[Path, Path]:
    """Of each file, what it becomes."""
    found = find_audio(source)
    if not found:
        raise FileNotFoundError(
            f"Expected audio files in {source}, found none: name the folder that they are in."
        )
    plan = {path: (out / path.relative_to(source)).with_suffix(".flac") for path in found}
    origin: dict[Path, Path] = {}
    for path, target in plan.items():
        if target in origin:
            raise ValueError(
                f"{origin[target]} and {path} would both become {target}. Rename one of them."
            )
        if target in plan:
            raise ValueError(f"{target} would be replaced. Prepare into another folder.")
        origin[target] = path
    return plan


def _is_done(target: Path, source: Path, sample_rate: int) -> bool:
    """Whether a target has the rate and was written after its source."""
    if not target.is_file() or target.stat().st_mtime_ns < source.stat().st_mtime_ns:
        return False
    try:
        return soundfile.info(raw_path(target)).samplerate == sample_rate
    except soundfile.LibsndfileError:
        return False


def _read_mono(path: str | Path) -> tuple[Tensor, int]:
    """Reads a file as `to_mono` does, with only one channel whole in memory."""
    means, energies = [], torch.zeros(1)
    with open_audio(path, strict=True) as audio:
        for block in audio.blocks:
            means.append(block.mean(dim=0))
            energies = energies + block.square().sum(dim=-1)
    wav = torch.cat(means)
    if audio.channels > 1 and cancels(wav.square().sum(), energies):
        with open_audio(path, strict=True) as audio:
            wav = torch.cat([block[energies.argmax()] for block in audio.blocks])
    return wav, audio.sample_rate
