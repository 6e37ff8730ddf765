"""How likely it is that a sound is there, from what its mask lets through and a tagger hears.

Legend: B mixtures, Q queries of a mixture, F frequencies, T frames, P passages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real

import torch
from torch import Tensor

from .masked_spectra import MaskedSpectra

LIKELY, SURE = 0.5, 0.9  # the least likelihoods of these words
GATE = 0.25  # the least likelihood of an estimate that is left as it is
PASSAGE = 4.0  # seconds of the mixtures that calibrations are made on
_LEAST = 1e-6  # -60 dB: less is as good as nothing
AUDIBLE = 1e-4  # of the energy of the loudest passage: what is below is not told
GATED = 1e-7  # and what is below this decides on no gate


@dataclass(frozen=True)
class Score:
    """How much an estimate is, and how likely it is that its sound is there.

    Attributes:
        level: of the estimate relative to the mixture, in dB; -inf of silence.
        likelihood: from 0 to 1; None of a model without calibration, and of what negative queries
            leave over.

    Examples:
        >>> print(Score(-3.0, 0.95), "/", Score(-20.0, 0.1), "/", Score(-3.0))
        sure, -3.0 dB / unlikely, -20.0 dB / -3.0 dB
    """

    level: float
    likelihood: float | None = None

    @property
    def word(self) -> str | None:
        """The likelihood as a word: unlikely, likely (from 0.5 on) or sure (from 0.9 on)."""
        if self.likelihood is None:
            return None
        words = {SURE: "sure", LIKELY: "likely"}
        return next((word for least, word in words.items() if self.likelihood >= least), "unlikely")

    def __str__(self) -> str:
        level = f"{self.level:.1f} dB" if self.level > -math.inf else "silent"
        return level if self.word is None else f"{self.word}, {level}"


@dataclass(frozen=True)
class Calibration:
    """A logistic regression from what masks let through, and a tagger hears, to a likelihood.

    Of a passage of about four seconds, the length that it is fitted to: of a longer recording the
    likeliest passage counts.

    Attributes:
        bias: the logit where all features are 0.
        level: weight of the energy let through, in dB of the passage's.
        mask: weight of the mean of the mask over what it lets through.
        spread: weight of the mean of the mask over all places, in dB.
        tag: weight of the logit of the model's `Tagger`; 0 of a model without one.

    Examples:
        >>> calibration = Calibration(bias=2.0, level=0.3, mask=1.0, spread=0.0)
        >>> spectra = MaskedSpectra(torch.ones(1, 1, 6, 50), torch.full((1, 1, 3, 50), 0.1), 1)
        >>> calibration.likelihoods(spectra, 25)
        tensor([[[0.0198, 0.0198]]])
    """

    bias: float
    level: float
    mask: float
    spread: float
    tag: float = 0.0

    @classmethod
    def read(cls, values: Mapping[str, float]) -> Calibration:
        """Reads what `to_dict` gives; ValueError for something else."""
        names = {field.name for field in fields(cls)}
        if {"tag", *values} != names or not all(isinstance(one, Real) for one in values.values()):
            raise ValueError(
                f"Expected a likelihood of numbers {', '.join(sorted(names))}, received {values!r}."
            )
        return cls(**values)

    def to_dict(self) -> dict[str, float]:
        """The coefficients as plain values, which a configuration can hold."""
        return asdict(self)

    def with_prior(self, prior: float) -> Calibration:
        """The same where a part `prior` of what is asked for is there; half, when it was fitted."""
        return replace(self, bias=self.bias + math.log(prior / (1 - prior)))

    def likelihoods(
        self,
        spectra: MaskedSpectra,
        frames: int,
        tagger: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Judges passages of equal length, about so many frames: (B, Q, P).

        Args:
            spectra: what the model found in B mixtures.
            frames: of a passage.
            tagger: gives the logits (B, Q) of what is heard in magnitudes (B, F, T).
        """
        masks, magnitudes = (passages(x, frames) for x in (spectra.gains, spectra.magnitude))
        found = [
            self.judge(mask_features(mask, part), None if tagger is None else tagger(part))
            for mask, part in zip(masks, magnitudes, strict=True)
        ]
        return torch.stack(found, dim=-1)

    def judge(self, features: Tensor, tag: Tensor | None = None) -> Tensor:
        """The likelihoods (...) of features (..., 3), see `mask_features`, and logits (...)."""
        weights = features.new_tensor([self.level, self.mask, self.spread])
        logits = features @ weights + self.bias
        return torch.sigmoid(logits if tag is None else logits + self.tag * tag)


def heard(likelihoods: Tensor, magnitudes: Tensor, least: float = AUDIBLE) -> Tensor:
    """Likelihoods (B, Q, P) of passages of magnitudes (B, F, T), 0 where there is hardly a sound.

    That is where the energy is below `least` of the loudest passage's.
    """
    parts = magnitudes.tensor_split(likelihoods.shape[-1], -1)
    energies = torch.stack([part.square().sum((-2, -1)) for part in parts], dim=-1)  # (B, P)
    return likelihoods * (energies > least * energies.amax(-1, keepdim=True)).unsqueeze(1)


def gate(likelihoods: Tensor) -> Tensor:
    """Factors for estimates (...): 1 from `GATE` on, less in proportion to the likelihood below.

    Examples:
        >>> gate(torch.tensor([0.9, 0.25, 0.025]))
        tensor([1.0000, 1.0000, 0.1000])
    """
    return (likelihoods / GATE).clamp(max=1)


def passages(values: Tensor, frames: int) -> tuple[Tensor, ...]:
    """Splits (..., T) into passages of equal length, about so many frames."""
    return values.tensor_split(max(1, round(values.shape[-1] / frames)), -1)


def mask_features(masks: Tensor, magnitudes: Tensor) -> Tensor:
    """The level, mask and spread of a `Calibration`: (B, Q, F, T) and (B, F, T) to (B, Q, 3)."""
    through = (masks * magnitudes.unsqueeze(1)).square()
    energy, tiny = through.sum((-2, -1)), torch.finfo(through.dtype).tiny
    total = magnitudes.square().sum((-2, -1)).unsqueeze(1)  # (B, 1)
    level = energy / total.clamp_min(tiny)
    mask = (masks * through).sum((-2, -1)) / energy.clamp_min(tiny)
    return torch.stack([_decibels(level), mask, _decibels(masks.mean((-2, -1)))], dim=-1)


def _decibels(part: Tensor) -> Tensor:
    return 10 * part.clamp_min(_LEAST).log10()
