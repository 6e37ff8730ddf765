"""Finding which of the sounds that a model knows are in a recording, how sure that is, and when.

Legend: Q sounds, F frequencies, T frames, P passages, S steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..dsp.chunked import cut_windows
from ..dsp.resample import resample
from ..dsp.spectral import magnitude
from ..models import MaskedSpectra, QueriedSeparator, Score
from ..models.inference import open_input
from ..models.likelihood import LIKELY, PASSAGE, heard, passages
from ..models.masked_spectra import mono_spectrum
from ..models.streaming import check_wav, evaluating
from ..utils.own_sounds import is_ours
from .files import FAILURES, FileResult, separate_each

TOLD = 0.2  # the least likelihood of what is told: half of it is there
NOTHING = "nothing that this model knows is likely there"
WINDOW = 8.0  # seconds that are judged in one pass
STEP = 1.0  # seconds of which spans are made
ASKED = 16  # sounds that a tagger hears most of, whose masks are looked at
EXPECTED = 2  # sounds of all that a model knows in a passage
_SAME = 0.7  # likeness of what two sounds are found in, above which the likelier one counts alone


@dataclass(frozen=True)
class FoundSound:
    """A sound in a recording.

    Attributes:
        name: its label in the model's vocabulary.
        score: its likelihood in its likeliest passage, and its level in the whole recording.
        spans: when it sounds, from and to in seconds.
    """

    name: str
    score: Score
    spans: list[tuple[float, float]]


def find_sounds(
    model: QueriedSeparator,
    path: str | Path,
    *,
    least: float = TOLD,
    batch_size: int = 8,
    progress: bool = False,
) -> list[FoundSound]:
    """Looks for every sound that a model knows, window by window.

    Of a model with a tagger, masks are looked at of the sounds of which it hears most alone.

    A likelihood is lower here than where somebody asks for the sound: of all that a model knows,
    few are in a recording. Where two sounds are found in the same places, the likelier one counts
    alone. Memory does not grow with the length of the file.

    Args:
        model: a separator with a vocabulary and a calibration.
        path: an audio file.
        least: likelihood of what is told.
        batch_size: sounds in one pass of the model.
        progress: show a bar, on standard error.

    Returns:
        What was found, the likeliest first.

    Raises:
        ValueError: for a model without one of these, for a file that cannot be read, and for a
            batch size below 1.
    """
    finder, ends, end = Finder(model, least, batch_size), [0.0], 0
    found, steps = [], []
    with open_input(path, model, Path(path).name if progress else None) as audio:
        rate, size = audio.sample_rate, round(WINDOW * audio.sample_rate)
        for window in cut_windows(audio.blocks, size, size):
            if found and window.shape[-1] * model.sample_rate < model.n_fft * rate:
                continue  # less than a frame is left
            wav = resample(check_wav(window), rate, model.sample_rate)
            found.append(finder.judge(wav.to(model.device)))
            count = found[-1].steps.shape[-1]
            ends += [(end + window.shape[-1] * (k + 1) / count) / rate for k in range(count)]
            end += window.shape[-1]
    likelihoods = torch.stack([one.likelihoods for one in found]).amax(0).tolist()
    energies = torch.stack([one.energies for one in found]).sum(0)
    energy = torch.stack([one.energy for one in found]).sum()
    levels = (10 * (energies / energy).log10()).tolist()
    steps = torch.cat([one.steps for one in found], dim=-1)
    sounds = [
        FoundSound(label, Score(level, likelihood), _spans(row.tolist(), ends, least))
        for label, level, likelihood, row in zip(
            finder.labels, levels, likelihoods, steps, strict=True
        )
        if likelihood >= least
    ]
    return sorted(sounds, key=lambda sound: -likelihoods[finder.labels.index(sound.name)])


@dataclass(frozen=True)
class _Judged:
    """What was found in one window."""

    likelihoods: Tensor  # of its likeliest passage, (Q)
    steps: Tensor  # likelihoods of its steps, 0 where a sound is not counted, (Q, S)
    energies: Tensor  # of each sound, (Q)
    energy: Tensor  # of the mixture


class Finder:
    """Asks a model for all that it knows.

    Attributes:
        labels: what it knows.
    """

    def __init__(self, model: QueriedSeparator, least: float, batch_size: int) -> None:
        if model.vocabulary is None or not model.vocabulary.labels:
            raise ValueError(
                "This model does not say which sounds it knows, so that nothing can be looked for."
            )
        if model.calibration is None:
            raise ValueError(
                "This model has no calibration, which says how likely a sound is there: "
                "`python benchmarks/likelihood.py --fit` makes one."
            )
        if batch_size < 1:
            raise ValueError(f"Expected a batch_size of 1 or more, received {batch_size}.")
        self.labels = model.vocabulary.labels
        self._model, self._least, self._batch_size = model, least, batch_size
        self._prior = min(0.5, EXPECTED / len(self.labels))
        self._query = model.encode_queries(self.labels, 1)

    def judge(self, wav: Tensor) -> _Judged:
        """Judges a window (C, T) at the model's rate."""
        with evaluating(self._model):
            asked = self._heard(wav)
            spectra = self._masked(wav, asked)
            found, steps = (
                self._likelihoods(spectra, asked, seconds) for seconds in (PASSAGE, STEP)
            )
        estimates, count = spectra.estimates[0], found.shape[-1]
        counted = zip(estimates.tensor_split(count, -1), steps.tensor_split(count, -1), strict=True)
        for place, (part, own_steps) in enumerate(counted):
            passage = found[:, place]
            passage *= _distinct(passage, part, self._least)
            # In a passage that counts, one step does at least.
            top = (own_steps == own_steps.amax(-1, keepdim=True)) * passage[:, None]
            own_steps.copy_(torch.maximum(own_steps, top) * (passage > 0)[:, None])
        energies = estimates.square().sum((-2, -1))
        of_all = [
            values.new_zeros(len(self.labels), *values.shape[1:]).index_copy(0, asked, values).cpu()
            for values in (found.amax(-1), steps, energies)
        ]
        return _Judged(*of_all, spectra.magnitude.square().sum().cpu())

    def _heard(self, wav: Tensor) -> Tensor:
        """The sounds to ask for: those that the tagger hears most of, or all without one."""
        labels = torch.arange(len(self.labels), device=wav.device)
        if (tagger := self._model.tagger) is None:
            return labels
        mono = mono_spectrum(self._model.forward_encoder(wav[None]))  # (1, 2·F, T)
        frames = round(PASSAGE * self._model.sample_rate / self._model.hop_length)
        heard = [tagger(part, self._query.pooled) for part in passages(magnitude(mono), frames)]
        logits = torch.cat(heard)  # (P, L)
        return logits.amax(0).topk(min(ASKED, len(labels))).indices.sort().values

    def _masked(self, wav: Tensor, asked: Tensor) -> MaskedSpectra:
        found = [
            self._model.separate_spectra(wav[None], self._query.select(some))
            for some in asked.split(self._batch_size)
        ]
        return replace(found[0], masks=torch.cat([spectra.gains for spectra in found], dim=1))

    def _likelihoods(self, spectra: MaskedSpectra, asked: Tensor, seconds: float) -> Tensor:
        query = self._query.select(asked)
        found = self._model.likelihoods(spectra, query, seconds, prior=self._prior)
        return heard(found, spectra.magnitude)[0]  # (Q, P)


def _distinct(likelihoods: Tensor, estimates: Tensor, least: float) -> Tensor:
    """Whether each sound counts in a passage: (Q,), of likelihoods (Q,) and (Q, F, T)."""
    likely = (likelihoods >= least).nonzero().flatten()
    order = likely[likelihoods[likely].argsort(descending=True)]
    flat = torch.nn.functional.normalize(estimates[order].flatten(1), dim=-1)
    alike = flat @ flat.T > _SAME
    counts = torch.zeros_like(likelihoods, dtype=torch.bool)
    for place, sound in enumerate(order.tolist()):
        counts[sound] = not (alike[place, :place] & counts[order[:place]]).any()
    return counts


def _spans(steps: list[float], ends: list[float], least: float) -> list[tuple[float, float]]:
    """Runs of steps that are half as likely as `least`, and somewhere as likely."""
    spans, place = [], 0
    for goes_on, run in groupby(steps, key=lambda likelihood: likelihood >= least / 2):
        run = list(run)
        if goes_on and max(run) >= least:
            spans.append((ends[place], ends[place + len(run)]))
        place += len(run)
    return spans


def separate_all(
    model: QueriedSeparator, inputs: Iterable[str | Path], **options: Any
) -> Iterator[FileResult]:
    """Separates each file by the sounds that are likely in it, and writes the rest, too.

    Args:
        model: a separator with a vocabulary and a calibration.
        inputs: audio files.
        **options: those of `separate_each`; what was found is not gated.

    Yields:
        What became of each input; "skipped" where nothing was found.

    Raises:
        ValueError: as `find_sounds`, for the model, and as `separate_each`.
    """
    Finder(model, LIKELY, 1)  # refused before any work
    for path in map(Path, inputs):
        if is_ours(path):
            yield FileResult(path, "left out", "an earlier separation wrote it")
            continue
        try:
            found = find_sounds(model, path, least=LIKELY, progress=options.get("progress", False))
        except FAILURES as error:
            yield FileResult(path, "failed", " ".join(str(error).split()))
            continue
        if not found:
            yield FileResult(path, "skipped", NOTHING)
            continue
        names = [one.name for one in found]
        yield from separate_each(
            model, [path], names, **{**options, "residual": True, "gate": False}
        )
