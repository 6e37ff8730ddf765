"""The terms that a recipe's loss adds up: each a public loss, and what it needs of the separator.

A term is a module that says in `needs` what is to be estimated (captions, phrases, waveforms,
labels, outputs, absent, noise) and maps `SeparatorOutputs` to one loss per example, (B,). A new one
is a class here and a line in `TERMS`; one with arguments gets them in `engine/build.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from .co_separation import CoSeparationLoss
from .mixit import TextConditionedMixIT
from .mixpit import MixPITLossWrapper
from .nit import NoiseInvariantLoss
from .outputs import SeparatorOutputs
from .reconstruction import HierarchicalReconstructionLoss, LogWeightedBCE, LogWeightedL1
from .similarity import ClapSimilarityLoss, Scorer
from .weak_label import WeakLabelLoss


class URL(nn.Module):
    """Unsupervised reconstruction (mix-and-separate): each caption's estimate is its mixture."""

    needs = frozenset({"captions"})

    def __init__(self) -> None:
        super().__init__()
        self.loss = HierarchicalReconstructionLoss(reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        return self.loss.url(outputs.captions, outputs.mixtures, outputs.total)


class CRL(nn.Module):
    """Consistency reconstruction: the estimates of a mixture's phrases add up to the mixture."""

    needs = frozenset({"phrases"})

    def __init__(self) -> None:
        super().__init__()
        self.loss = HierarchicalReconstructionLoss(reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        return self.loss.crl(outputs.phrases, outputs.mixtures, outputs.phrase_weights)


class CNT(nn.Module):
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
        **similarity,
    ) -> None:
        super().__init__()
        self.noise_floor = noise_floor
        self.against_captions = against_captions
        self.loss = ClapSimilarityLoss(
            scorer, sample_rate=sample_rate, reduction="none", **similarity
        )

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        wavs = outputs.phrase_wavs
        noise = torch.randn(wavs.shape[-1], generator=torch.Generator().manual_seed(0))
        return self.loss(
            wavs + self.noise_floor * noise.to(wavs),
            outputs.phrase_texts,
            negatives=_captions_of_several(outputs) if self.against_captions else (),
        )


def _captions_of_several(outputs: SeparatorOutputs) -> list[str]:
    """The captions of mixtures with different phrases: one of a single sound describes it."""
    num_phrases = outputs.phrases.shape[2]
    found = {
        caption
        for captions, phrases in zip(outputs.caption_texts, outputs.phrase_texts, strict=True)
        for n, caption in enumerate(captions)
        if len(set(phrases[n * num_phrases : (n + 1) * num_phrases])) > 1
    }
    return sorted(found)


class WeakLabels(nn.Module):
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
        """Returns the loss of each example, (B,)."""
        mixture = outputs.total if self.loss.joint else None
        terms = self.loss(outputs.phrases.flatten(1, 2), outputs.phrase_labels, mixture)
        return terms.classes + terms.labels


class PIT(nn.Module):
    r"""PIT and MixPIT: as many outputs as mixtures, in the order that fits best.

    $$ L_{PIT} = \min_\pi \sum_i \mathrm{mean}\big(w(|M|)\,
       \big||\hat s_{\pi(i)}| - |M_i|\big|\big) $$

    With mixtures of one source this is PIT (Yu et al., ICASSP 2017), otherwise MixPIT.
    """

    needs = frozenset({"outputs"})

    def __init__(self) -> None:
        super().__init__()
        distance = LogWeightedL1(reduction="none")
        self.loss = MixPITLossWrapper(distance, pit_from="pw_pt", reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        loss = self.loss(outputs.outputs, outputs.mixtures, reference=outputs.total)
        return outputs.mixtures.shape[1] * loss


class MixIT(nn.Module):
    r"""MixIT: the outputs, each put into one mixture, add up to the mixtures.

    $$ L_{MixIT} = \min_A \sum_i \mathrm{mean}\big(w(|M_i|)\,
       \big|[A |\hat s|]_i - |M_i|\big|\big) $$
    """

    needs = frozenset({"outputs"})

    def __init__(self) -> None:
        super().__init__()
        self.loss = TextConditionedMixIT(LogWeightedL1(reduction="none"), reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        return outputs.mixtures.shape[1] * self.loss(outputs.outputs, outputs.mixtures)


class AbsentSounds(nn.Module):
    r"""The estimates of absent sounds are silent.

    $$ L_{absent} = \frac{1}{A} \sum_a \mathrm{mean}\big(w(|M|)\,|\hat s_a|\big) $$
    """

    needs = frozenset({"absent"})

    def __init__(self) -> None:
        super().__init__()
        self.loss = LogWeightedL1(reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        absent = outputs.absent
        total = outputs.total[:, None].expand_as(absent)
        return self.loss(absent, torch.zeros_like(absent), total)


def dominance(mixtures: Tensor) -> Tensor:
    """Marks where each mixture is louder than all others: the ideal binary masks.

    Args:
        mixtures: magnitudes, (B, N, F, T).

    Returns:
        (B, N, F, T), in each place 1 for one of the mixtures and 0 for the others.

    Examples:
        >>> dominance(torch.tensor([[[[3.0, 1.0]], [[2.0, 5.0]]]])).squeeze()
        tensor([[1., 0.],
                [0., 1.]])
    """
    loudest = mixtures.argmax(dim=1, keepdim=True)  # (B, 1, F, T)
    return torch.zeros_like(mixtures).scatter_(1, loudest, 1.0)


class BinaryMasks(nn.Module):
    r"""Mix-and-separate with binary masks: each caption's mask is where its mixture dominates.

    $$ L_{BCE} = \sum_i \mathrm{mean}\big(w(|M|)\,
       \mathrm{BCE}(\hat m_i, [\,|M_i| > |M_j| \;\forall j \neq i\,])\big) $$
    """

    needs = frozenset({"captions"})

    def __init__(self) -> None:
        super().__init__()
        self.loss = LogWeightedBCE(reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        total = outputs.total[:, None].expand_as(outputs.mixtures)
        loss = self.loss(outputs.caption_masks, dominance(outputs.mixtures), total)
        return outputs.mixtures.shape[1] * loss


class NIT(nn.Module):
    """Noise invariant training: binary masks that those of noise heads, in any order, complete."""

    needs = frozenset({"captions", "noise"})

    def __init__(self) -> None:
        super().__init__()
        self.loss = NoiseInvariantLoss(reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        target = dominance(outputs.mixtures)
        terms = self.loss(outputs.caption_masks, outputs.noise_masks, target, outputs.total)
        return outputs.mixtures.shape[1] * terms.total


class CoSeparation(nn.Module):
    """Co-separation: the masks of a mixture's objects add up to its own; each is of its class.

    Args:
        classifier: maps magnitudes (M, F, T) to logits (M, C); it is trained beside.
    """

    needs = frozenset({"phrases", "labels"})

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.loss = CoSeparationLoss(_LogMagnitudeAdapter(classifier), reduction="none")

    def forward(self, outputs: SeparatorOutputs) -> Tensor:
        """Returns the loss of each example, (B,)."""
        masks = outputs.phrase_masks  # (B, N, P, F, T)
        own = torch.eye(masks.shape[1], device=masks.device)[..., None]  # (N, N, 1)
        weights = own * outputs.phrase_weights[:, None]  # (B, N, N, P)
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


TERMS: dict[str, Callable[..., nn.Module]] = {
    "url": URL,
    "crl": CRL,
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
