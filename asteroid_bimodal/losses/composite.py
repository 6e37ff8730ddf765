"""The training signal: named terms, each with its weight, every one logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .reconstruction import LogWeightedL1
from .similarity import ClapSimilarityLoss


@dataclass(frozen=True)
class Estimates:
    """What a separator made of a batch, and what it should have made.

    B examples, N mixtures, P phrases per mixture, F frequencies, T frames.

    Attributes:
        total: (B, F, T), magnitude of the mixture of mixtures.
        mixtures: (B, N, F, T), magnitudes of the natural mixtures.
        captions: (B, N, F, T), estimates queried by caption.
        phrases: (B, N, P, F, T), estimates queried by phrase; None when no term asks for them.
        phrase_wavs: (B, N * P, samples), the same as waveforms.
        phrase_texts: B lists of N * P phrases.
        phrase_weights: (B, N, P), 1 / (times a phrase is repeated).
    """

    total: Tensor
    mixtures: Tensor
    captions: Tensor | None = None
    phrases: Tensor | None = None
    phrase_wavs: Tensor | None = None
    phrase_texts: list[list[str]] | None = None
    phrase_weights: Tensor | None = None

    def normalised(self) -> Estimates:
        """Magnitudes in units of the mean magnitude of their example, so that level drops out."""
        scale = self.total.mean(dim=(1, 2), keepdim=True).clamp_min(1e-5)  # (B, 1, 1)
        return replace(
            self,
            total=self.total / scale,
            mixtures=self.mixtures / scale[:, None],
            captions=None if self.captions is None else self.captions / scale[:, None],
            phrases=None if self.phrases is None else self.phrases / scale[:, None, None],
        )


class CaptionReconstruction(nn.Module):
    r"""URL, mix-and-separate: each caption's estimate is its mixture.

    $$ L_{URL} = \sum_i \mathrm{mean}\big(w(|M|)\,\big||\hat M_i| - |M_i|\big|\big) $$
    """

    needs = frozenset({"captions"})

    def __init__(self):
        super().__init__()
        self.distance = LogWeightedL1()

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        total = estimates.total[:, None].expand_as(estimates.mixtures)
        num_mixtures = estimates.mixtures.shape[1]
        return num_mixtures * self.distance(estimates.captions, estimates.mixtures, total)


class PhraseReconstruction(nn.Module):
    r"""CRL: the estimates of a mixture's phrases add up to the mixture.

    $$ L_{CRL} = \sum_i \mathrm{mean}\big(w(|M_i|)\,
       \big|\textstyle\sum_k \omega_{ik} |\hat s_{ik}| - |M_i|\big|\big) $$
    """

    needs = frozenset({"phrases"})

    def __init__(self):
        super().__init__()
        self.distance = LogWeightedL1()

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        weights = estimates.phrase_weights[..., None, None]
        together = (weights * estimates.phrases).sum(2)  # (B, N, F, T)
        num_mixtures = estimates.mixtures.shape[1]
        return num_mixtures * self.distance(together, estimates.mixtures, estimates.mixtures)


class PhraseSimilarity(nn.Module):
    """CNT: each phrase's estimate sounds like its own phrase among all phrases of the batch.

    Args:
        scorer: embeds waveforms and texts in one space.
        sample_rate: of the estimates, in hertz.
        chunk_size: estimates embedded at a time.
        noise_floor: RMS of a fixed noise under the estimates. The gradient of a log spectrum is the
            larger the quieter a band is; the noise bounds it.
    """

    needs = frozenset({"phrases", "waveforms"})

    def __init__(
        self,
        scorer: nn.Module,
        sample_rate: int,
        chunk_size: int | None = None,
        noise_floor: float = 0.0,
    ):
        super().__init__()
        self.noise_floor = noise_floor
        self.similarity = ClapSimilarityLoss(scorer, sample_rate=sample_rate, chunk_size=chunk_size)

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        wavs = estimates.phrase_wavs
        noise = torch.randn(wavs.shape[-1], generator=torch.Generator().manual_seed(0))
        return self.similarity(wavs + self.noise_floor * noise.to(wavs), estimates.phrase_texts)


@dataclass(frozen=True)
class LossReport:
    """A loss and what it is made of: `total` is the weighted sum of `terms`."""

    total: Tensor
    terms: dict[str, Tensor]


class CompositeLoss(nn.Module):
    r"""Weighted sum of named terms, $L = \sum_k w_k L_k$.

    Args:
        terms: modules that take `Estimates` and say in `needs` which of them they use.
        weights: weight of each term.
        start: training step from which each term counts; before it, it costs nothing.
        normalise: measure magnitudes in units of their example's mean.

    Raises:
        ValueError: when a term has no weight, or none counts from the beginning.

    Examples:
        >>> import torch
        >>> loss = CompositeLoss({"url": CaptionReconstruction()}, {"url": 5.0})
        >>> magnitudes = torch.rand(1, 2, 8, 4)
        >>> same = Estimates(magnitudes.sum(1), magnitudes, captions=magnitudes)
        >>> loss(same).total.item()
        0.0
    """

    def __init__(
        self,
        terms: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        *,
        start: Mapping[str, int] | None = None,
        normalise: bool = False,
    ):
        super().__init__()
        missing = [name for name in terms if name not in weights]
        if missing or not terms:
            raise ValueError(
                f"Expected a weight for each of the terms {list(terms)}, received {dict(weights)}."
            )
        self.terms = nn.ModuleDict(terms)
        self.weights = {name: float(weights[name]) for name in terms}
        self.start = {name: int((start or {}).get(name, 0)) for name in terms}
        self.normalise = normalise
        if not self.active(0):
            raise ValueError(
                "Expected a term of positive weight that counts from step 0, received the weights "
                f"{self.weights} and starts {self.start}."
            )

    def active(self, step: int) -> list[str]:
        """Names of the terms that count at a training step."""
        return [name for name, start in self.start.items() if step >= start and self.weights[name]]

    def needs(self, step: int) -> frozenset[str]:
        """What must be estimated at a training step: captions, phrases, waveforms."""
        return frozenset().union(*(self.terms[name].needs for name in self.active(step)))

    def forward(self, estimates: Estimates, step: int | None = None) -> LossReport:
        """Computes the loss.

        Args:
            estimates: of a batch.
            step: the training step; None counts every term.

        Returns:
            The weighted sum and each term, unweighted.
        """
        names: Iterable[str] = self.terms if step is None else self.active(step)
        if self.normalise:
            estimates = estimates.normalised()
        terms = {name: self.terms[name](estimates) for name in names}
        total = sum(self.weights[name] * value for name, value in terms.items())
        return LossReport(total=total, terms=terms)
