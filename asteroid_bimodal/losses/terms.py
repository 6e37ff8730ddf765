"""What a separator made of a batch, and the terms of a training signal that look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .mixit import TextConditionedMixIT
from .mixpit import MixPITLossWrapper
from .reconstruction import LogWeightedL1
from .similarity import ClapSimilarityLoss
from .weak_label import WeakLabelLoss


@dataclass(frozen=True)
class Estimates:
    """What a separator made of a batch, and what it should have made.

    B examples, N mixtures, P phrases per mixture, S outputs, A absent sounds, F frequencies,
    T frames.

    Attributes:
        total: (B, F, T), magnitude of the mixture of mixtures.
        mixtures: (B, N, F, T), magnitudes of the natural mixtures.
        captions: (B, N, F, T), estimates queried by caption.
        phrases: (B, N, P, F, T), estimates queried by phrase; None when no term asks for them.
        phrase_wavs: (B, N * P, samples), the same as waveforms.
        phrase_texts: B lists of N * P phrases.
        caption_texts: B lists of N captions.
        phrase_weights: (B, N, P), 1 / (times a phrase is repeated).
        phrase_labels: (B, N * P), classes of the phrases.
        outputs: (B, S, F, T), estimates of a separator that is not told what to look for.
        absent: (B, A, F, T), estimates queried by what does not sound.
        caption_masks: (B, N, F, T), of `captions`, between 0 and 1.
        phrase_masks: (B, N, P, F, T), of `phrases`.
        noise_masks: (B, N, F, T), of a separator's noise heads.
    """

    total: Tensor
    mixtures: Tensor
    captions: Tensor | None = None
    phrases: Tensor | None = None
    phrase_wavs: Tensor | None = None
    phrase_texts: list[list[str]] | None = None
    caption_texts: list[list[str]] | None = None
    phrase_weights: Tensor | None = None
    phrase_labels: Tensor | None = None
    outputs: Tensor | None = None
    absent: Tensor | None = None
    caption_masks: Tensor | None = None
    phrase_masks: Tensor | None = None
    noise_masks: Tensor | None = None

    def normalised(self) -> Estimates:
        """Magnitudes in units of the mean magnitude of their example, so that level drops out."""
        scale = self.total.mean(dim=(1, 2)).clamp_min(1e-5)  # (B,)
        found = {name: getattr(self, name) for name in _MAGNITUDES}
        scaled = {
            name: value / scale.view(-1, *[1] * (value.ndim - 1))
            for name, value in found.items()
            if value is not None
        }
        return replace(self, **scaled)


_MAGNITUDES = ("total", "mixtures", "captions", "phrases", "outputs", "absent")


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
        logit_scale: sharpness of the contrast; the scorer's own when None.
        equal_above: similarity of two phrases above which they count as one.
        against_captions: contrast each estimate with the captions of the batch, too. What holds
            remains of its mixture's other sounds is nearer to the caption than to its phrase.
    """

    needs = frozenset({"phrases", "waveforms"})

    def __init__(
        self,
        scorer: nn.Module,
        sample_rate: int,
        chunk_size: int | None = None,
        noise_floor: float = 0.0,
        logit_scale: float | None = None,
        equal_above: float = 1 - 1e-5,
        against_captions: bool = False,
    ):
        super().__init__()
        self.noise_floor = noise_floor
        self.against_captions = against_captions
        self.similarity = ClapSimilarityLoss(
            scorer,
            logit_scale,
            sample_rate=sample_rate,
            equal_above=equal_above,
            chunk_size=chunk_size,
        )

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        wavs = estimates.phrase_wavs
        noise = torch.randn(wavs.shape[-1], generator=torch.Generator().manual_seed(0))
        return self.similarity(
            wavs + self.noise_floor * noise.to(wavs),
            estimates.phrase_texts,
            negatives=_captions_of_several(estimates) if self.against_captions else (),
        )


def _captions_of_several(estimates: Estimates) -> list[str]:
    """The captions of mixtures with different phrases: one of a single sound describes it."""
    num_phrases = estimates.phrases.shape[2]
    found = {
        caption
        for captions, phrases in zip(estimates.caption_texts, estimates.phrase_texts, strict=True)
        for n, caption in enumerate(captions)
        if len(set(phrases[n * num_phrases : (n + 1) * num_phrases])) > 1
    }
    return sorted(found)


class PermutedReconstruction(nn.Module):
    r"""PIT and MixPIT: as many outputs as mixtures, in the order that fits best.

    $$ L_{PIT} = \min_\pi \sum_i \mathrm{mean}\big(w(|M|)\,
       \big||\hat s_{\pi(i)}| - |M_i|\big|\big) $$

    With mixtures of one source this is PIT (Yu et al., ICASSP 2017), otherwise MixPIT.
    """

    needs = frozenset({"outputs"})

    def __init__(self):
        super().__init__()
        self.wrapper = MixPITLossWrapper(LogWeightedL1(reduction="none"), pit_from="pw_pt")

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        num_mixtures = estimates.mixtures.shape[1]
        loss = self.wrapper(estimates.outputs, estimates.mixtures, reference=estimates.total)
        return num_mixtures * loss


class MixtureInvariance(nn.Module):
    r"""MixIT: the outputs, each put into one mixture, add up to the mixtures.

    $$ L_{MixIT} = \min_A \sum_i \mathrm{mean}\big(w(|M_i|)\,
       \big|[A |\hat s|]_i - |M_i|\big|\big) $$
    """

    needs = frozenset({"outputs"})

    def __init__(self):
        super().__init__()
        self.wrapper = TextConditionedMixIT(LogWeightedL1(reduction="none"))

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        return estimates.mixtures.shape[1] * self.wrapper(estimates.outputs, estimates.mixtures)


class PhraseClass(nn.Module):
    """A classifier hears the class of its phrase in each phrase's estimate.

    Stands in CNT's place where a timbre classifier is the scorer, and is the class term of
    separation by weak labels.

    Args:
        classifier: maps magnitudes (M, F, T) to logits (M, C).
        joint: whether it is trained beside, on the mixtures and their labels; frozen otherwise.
    """

    def __init__(self, classifier: nn.Module, *, joint: bool = False):
        super().__init__()
        self.needs = frozenset({"phrases", "labels"})
        self.loss = WeakLabelLoss(classifier, joint=joint)

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        mixture = estimates.total if self.loss.joint else None
        terms = self.loss(estimates.phrases.flatten(1, 2), estimates.phrase_labels, mixture)
        return terms.classes + terms.labels


class AbsentSilence(nn.Module):
    r"""What does not sound is estimated as silence.

    $$ L_{absent} = \frac{1}{A} \sum_a \mathrm{mean}\big(w(|M|)\,|\hat s_a|\big) $$
    """

    needs = frozenset({"absent"})

    def __init__(self):
        super().__init__()
        self.distance = LogWeightedL1()

    def forward(self, estimates: Estimates) -> Tensor:
        """Scalar loss."""
        silence = torch.zeros_like(estimates.absent)
        total = estimates.total[:, None].expand_as(estimates.absent)
        return self.distance(estimates.absent, silence, total)
