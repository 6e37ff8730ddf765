"""The terms that a recipe's loss adds up: each a public loss, and what it needs of the separator.

A new term is a `Term` here and a line in `TERMS`; one with arguments gets them in
`engine/build.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .co_separation import CoSeparationLoss
from .composite import SeparatorOutputs, Term, needed
from .mixit import TextConditionedMixIT
from .mixpit import MixPITLossWrapper
from .nit import NoiseInvariantLoss
from .reconstruction import HierarchicalReconstructionLoss, LogWeightedBCE, LogWeightedL1
from .similarity import ClapSimilarityLoss, Scorer
from .weak_label import WeakLabelLoss

_BCE = LogWeightedBCE(reduction="none")
_NIT = NoiseInvariantLoss(reduction="none")


class _ReconstructionTerm(Term):
    """A term with a distance of magnitudes, that of `LogWeightedL1` unless given."""

    def __init__(self, distance: nn.Module | None = None) -> None:
        super().__init__()
        self.distance = LogWeightedL1(reduction="none") if distance is None else distance


class URL(_ReconstructionTerm):
    """Unsupervised reconstruction (mix-and-separate): each caption's estimate is its mixture.

    Args:
        distance: of estimate and target, one value per example. Default: `LogWeightedL1`.
    """

    needs = frozenset({"captions"})

    def __init__(self, distance: nn.Module | None = None) -> None:
        super().__init__(distance)
        self.loss = HierarchicalReconstructionLoss(distance=self.distance, reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        return self.loss.url(needed(outputs.captions), outputs.mixtures, outputs.total)


class CRL(_ReconstructionTerm):
    """Consistency reconstruction: the estimates of a mixture's phrases add up to the mixture.

    Args:
        distance: of estimate and target, one value per example. Default: `LogWeightedL1`.
    """

    needs = frozenset({"phrases"})

    def __init__(self, distance: nn.Module | None = None) -> None:
        super().__init__(distance)
        self.loss = HierarchicalReconstructionLoss(distance=self.distance, reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        phrases, weights = needed(outputs.phrases), needed(outputs.phrase_weights)
        return self.loss.crl(phrases, outputs.mixtures, weights)


class Consistency(_ReconstructionTerm):
    r"""Mixture consistency: the estimates of all phrases add up to the mixture of mixtures.

    $$ L_{mix} = \mathrm{mean}\big(w(|M|)\,\big|\sum_{np} w_{np}\,|\hat s_{np}| - |M|\big|\big) $$

    Args:
        distance: of estimate and target, one value per example. Default: `LogWeightedL1`.
    """

    needs = frozenset({"phrases"})

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        phrases, weights = needed(outputs.phrases), needed(outputs.phrase_weights)
        added = (weights[..., None, None] * phrases).sum((1, 2))
        return self.distance(added, outputs.total, outputs.total)


class CNT(Term):
    """Contrastive loss: each phrase's estimate matches its own phrase among all of the batch.

    Args:
        scorer: embeds waveforms and texts in one space.
        sample_rate: of the estimates, in hertz.
        noise_floor: RMS of a fixed noise under the estimates. The gradient of a log spectrum is the
            larger the quieter a band is; the noise bounds it.
        against_captions: captions of several sounds are negatives of every estimate, too: one with
            remains of its mixture's other sounds is nearer to the caption than to its phrase.
        **similarity: arguments of `ClapSimilarityLoss`.
    """

    needs = frozenset({"phrases", "waveforms"})

    def __init__(
        self,
        scorer: Scorer,
        sample_rate: int,
        *,
        noise_floor: float = 0.0,
        against_captions: bool = False,
        **similarity: Any,
    ) -> None:
        super().__init__()
        self.noise_floor = noise_floor
        self.against_captions = against_captions
        self.loss = ClapSimilarityLoss(
            scorer, sample_rate=sample_rate, reduction="none", **similarity
        )

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        wavs = needed(outputs.phrase_wavs)
        noise = torch.randn(wavs.shape[-1], generator=torch.Generator().manual_seed(0))
        return self.loss(
            wavs + self.noise_floor * noise.to(wavs),
            outputs.phrase_texts,
            negatives=_captions_of_several(outputs) if self.against_captions else (),
        )


def _captions_of_several(outputs: SeparatorOutputs) -> list[str]:
    """The captions of mixtures with different phrases: one of a single sound describes it."""
    num_phrases = needed(outputs.phrases).shape[2]
    texts = zip(needed(outputs.caption_texts), needed(outputs.phrase_texts), strict=True)
    found = {
        caption
        for captions, phrases in texts
        for n, caption in enumerate(captions)
        if len(set(phrases[n * num_phrases : (n + 1) * num_phrases])) > 1
    }
    return sorted(found)


class WeakLabels(Term):
    """Each phrase's estimate belongs to its class.

    Args:
        classifier: maps magnitudes (M, F, T) to logits (M, C).
        joint: train the classifier beside the separator, on the mixtures of mixtures.
    """

    needs = frozenset({"phrases", "labels"})

    def __init__(self, classifier: nn.Module, *, joint: bool = False) -> None:
        super().__init__()
        self.loss = WeakLabelLoss(classifier, joint=joint, reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        mixture = outputs.total if self.loss.joint else None
        estimates = needed(outputs.phrases).flatten(1, 2)
        terms = self.loss(estimates, outputs.phrase_labels, mixture)
        return terms.classes + terms.labels


class PIT(_ReconstructionTerm):
    r"""PIT and MixPIT: as many outputs as mixtures, in the order that fits best.

    $$ L_{PIT} = \min_\pi \sum_i \mathrm{mean}\big(w(|M|)\,
       \big||\hat s_{\pi(i)}| - |M_i|\big|\big) $$

    With mixtures of one source this is PIT (Yu et al., ICASSP 2017), otherwise MixPIT.

    Args:
        distance: of estimate and target, one value per example. Default: `LogWeightedL1`.
    """

    needs = frozenset({"outputs"})

    def __init__(self, distance: nn.Module | None = None) -> None:
        super().__init__(distance)
        self.loss = MixPITLossWrapper(self.distance, pit_from="pw_pt", reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        loss = self.loss(needed(outputs.outputs), outputs.mixtures, reference=outputs.total)
        return outputs.mixtures.shape[1] * loss


class MixIT(_ReconstructionTerm):
    r"""MixIT: the outputs, each put into one mixture, add up to the mixtures.

    $$ L_{MixIT} = \min_A \sum_i \mathrm{mean}\big(w(|M|)\,
       \big|[A |\hat s|]_i - |M_i|\big|\big) $$

    The weights are those of the whole: with $w(|M_i|)$, what an output has of other mixtures would
    hardly count, and two outputs that are all of the input would be near a minimum.

    Args:
        distance: of estimate and target, one value per example. Default: `LogWeightedL1`.
    """

    needs = frozenset({"outputs"})

    def __init__(self, distance: nn.Module | None = None) -> None:
        super().__init__(distance)
        self.loss = TextConditionedMixIT(self.distance, reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        found, total = needed(outputs.outputs), outputs.total.unsqueeze(1)
        loss = self.loss(found, outputs.mixtures, reference=total)
        return outputs.mixtures.shape[1] * loss


class AbsentSounds(_ReconstructionTerm):
    r"""The estimates of absent sounds are silent.

    $$ L_{absent} = \frac{1}{A} \sum_a \mathrm{mean}\big(w(|M|)\,|\hat s_a|\big) $$

    Args:
        distance: of estimate and target, one value per example. Default: `LogWeightedL1`.
    """

    needs = frozenset({"absent"})

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        absent = needed(outputs.absent)
        return self.distance(
            absent, torch.zeros_like(absent), outputs.total[:, None].expand_as(absent)
        )


class BinaryMasks(Term):
    r"""Mix-and-separate with binary masks: each caption's mask is where its mixture dominates.

    $$ L_{BCE} = \sum_i \mathrm{mean}\big(w(|M|)\,
       \mathrm{BCE}(\hat m_i, [\,|M_i| > |M_j| \;\forall j \neq i\,])\big) $$
    """

    needs = frozenset({"captions"})

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        total = outputs.total[:, None].expand_as(outputs.mixtures)
        loss = _BCE(needed(outputs.caption_masks), dominance(outputs.mixtures), total)
        return outputs.mixtures.shape[1] * loss


class NIT(Term):
    """Noise invariant training: binary masks that those of noise heads, in any order, complete."""

    needs = frozenset({"captions", "noise"})

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        masks, noise = needed(outputs.caption_masks), needed(outputs.noise_masks)
        terms = _NIT(masks, noise, dominance(outputs.mixtures), outputs.total)
        return outputs.mixtures.shape[1] * terms.total


class CoSeparation(Term):
    """Co-separation: the masks of a mixture's objects add up to its own; each is of its class.

    Args:
        classifier: maps magnitudes (M, F, T) to logits (M, C); it is trained beside.
    """

    needs = frozenset({"phrases", "labels"})

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.loss = CoSeparationLoss(_LogMagnitudeAdapter(classifier), reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        masks = needed(outputs.phrase_masks)  # (B, N, P, F, T)
        own = torch.eye(masks.shape[1], device=masks.device)[..., None]  # (N, N, 1)
        weights = own * needed(outputs.phrase_weights)[:, None]  # (B, N, N, P)
        terms = self.loss(
            masks.flatten(1, 2),
            outputs.mixtures,
            outputs.total,
            weights.flatten(2),
            outputs.phrase_labels,
        )
        return terms.total


class _LogMagnitudeAdapter(nn.Module):
    """A classifier of magnitudes as one of log-magnitudes."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, log_magnitude: Tensor) -> Tensor:
        return self.classifier(log_magnitude.exp())


def dominance(mixtures: Tensor) -> Tensor:
    """Ideal binary masks (B, N, F, T): 1 where a mixture's magnitude is above all others'.

    Examples:
        >>> dominance(torch.tensor([[[[3.0, 1.0]], [[2.0, 5.0]]]])).squeeze()
        tensor([[1., 0.],
                [0., 1.]])
    """
    loudest = mixtures.argmax(dim=1, keepdim=True)  # (B, 1, F, T)
    return torch.zeros_like(mixtures).scatter_(1, loudest, 1.0)


TERMS: dict[str, Callable[..., Term]] = {
    "url": URL,
    "crl": CRL,
    "consistency": Consistency,
    "cnt": CNT,
    "timbre": WeakLabels,
    "timbre_joint": partial(WeakLabels, joint=True),
    "pit": PIT,
    "mixit": MixIT,
    "absent": AbsentSounds,
    "bce": BinaryMasks,
    "nit": NIT,
    "cosep": CoSeparation,
}
