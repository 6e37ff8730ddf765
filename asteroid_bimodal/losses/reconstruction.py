"""Distances weighted by loudness, and the hierarchical reconstruction loss (URL and CRL)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import (
    at_least_float32,
    check_broadcast,
    check_finite,
    check_reduction,
    check_shape,
    check_signals,
    mean_per_example,
    reduce_batch,
)


class _LogWeighted(nn.Module):
    """A distance per sample, weighted by the loudness of a reference and averaged."""

    distance: Callable[[Tensor, Tensor, Tensor], Tensor]  # est, target, reference

    def __init__(self, low: float = 1e-3, high: float = 10.0, reduction: str = "mean"):
        super().__init__()
        if not 0 <= low <= high:
            raise ValueError(f"expected 0 <= low <= high, received low={low}, high={high}.")
        self.low = low
        self.high = high
        self.reduction = check_reduction(reduction)

    def forward(self, est: Tensor, target: Tensor, reference: Tensor | None = None) -> Tensor:
        """Returns the loss of `est`, weighted by `reference` (see the class)."""
        check_signals("est", est, "(batch, ...)", min_ndim=2)
        check_shape("target", target, tuple(est.shape), "the shape of est")
        reference = target if reference is None else reference
        check_broadcast("reference", reference, est)
        check_finite("target", target)
        check_finite("reference", reference)
        est, target, reference = map(at_least_float32, (est, target, reference))
        weight = reference.abs().log1p().clamp(self.low, self.high)
        distance = self.distance(est, target, reference)
        return reduce_batch(mean_per_example(weight * distance), self.reduction)


class LogWeightedL1(_LogWeighted):
    r"""L1 distance that counts loud places more, as the logarithm hears them.

    .. math::
        \mathcal{L}(\hat X, X; R) = \mathrm{mean}\big(
            \mathrm{clamp}(\log(1 + |R|), \mathrm{low}, \mathrm{high})\,|\hat X - X| \big)

    Args:
        low: smallest weight; keeps silent places in the loss.
        high: largest weight.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est, target: :math:`(B, ...)`, magnitudes or waveforms.
        - reference: anything that broadcasts to them; the target itself when not given.
        - output: scalar, or :math:`(B,)`.

    References:
        Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic similarity",
        ICLR 2024. The weighting goes back to Zhao et al., "The sound of pixels", ECCV 2018.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import LogWeightedL1
        >>> mixture = torch.full((1, 2, 2), 1.0)
        >>> loss = LogWeightedL1()(mixture - 0.5, mixture, mixture)
        >>> round(loss.item(), 4)  # log(2) * 0.5
        0.3466
    """

    @staticmethod
    def distance(est: Tensor, target: Tensor, _reference: Tensor) -> Tensor:
        """Absolute difference."""
        return (est - target).abs()


class LogWeightedL2(_LogWeighted):
    r"""Squared distance of masked magnitudes, as the square of masks would be weighted.

    .. math::
        \mathcal{L}(\hat X, X; R) = \mathrm{mean}\Big(
            \mathrm{clamp}(\log(1 + |R|), \mathrm{low}, \mathrm{high})\,
            \frac{(\hat X - X)^2}{|R| + \varepsilon} \Big)

    With masks :math:`\hat X = \hat m R` and :math:`X = m R` a place counts as :math:`|R| (\hat m -
    m)^2`. Where a network is not sure whose a place is, the best estimate is the mean of what it
    may be. That of an absolute distance is the median: all or nothing, which leaves holes in
    spectra and colours what is left.

    Args:
        low: smallest weight.
        high: largest weight.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est, target: :math:`(B, ...)`, magnitudes whose mean is about 1.
        - reference: anything that broadcasts to them; the target itself when not given.
        - output: scalar, or :math:`(B,)`.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import LogWeightedL2
        >>> mixture = torch.full((1, 2, 2), 1.0)
        >>> loss = LogWeightedL2()(mixture - 0.5, mixture, mixture)
        >>> round(loss.item(), 4)  # log(2) * 0.25 / 1.01
        0.1716
    """

    _EPSILON = 0.01

    def distance(self, est: Tensor, target: Tensor, reference: Tensor) -> Tensor:
        """Square of the difference over the reference."""
        return (est - target).square() / (reference.abs() + self._EPSILON)


class LogWeightedBCE(_LogWeighted):
    r"""Binary cross-entropy of masks that counts loud places more (WBCE).

    .. math::
        \mathcal{L}(\hat M, M; R) = \mathrm{mean}\big(
            \mathrm{clamp}(\log(1 + |R|), \mathrm{low}, \mathrm{high})\,
            [-M \log \hat M - (1 - M) \log(1 - \hat M)] \big)

    Args:
        low: smallest weight.
        high: largest weight.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est, target: masks from 0 to 1, :math:`(B, ...)`.
        - reference: magnitude of the mixture, or anything that broadcasts to them.
        - output: scalar, or :math:`(B,)`.

    References:
        Zhao et al., "The sound of pixels", ECCV 2018. Dong et al., "CLIPSep: learning text-queried
        sound separation with noisy unlabeled videos", ICLR 2023.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import LogWeightedBCE
        >>> half = torch.full((1, 2, 2), 0.5)
        >>> loss = LogWeightedBCE()(half, half.round(), torch.ones(1, 2, 2))
        >>> round(loss.item(), 4)  # log(2) * log(2)
        0.4805
    """

    @staticmethod
    def distance(est: Tensor, target: Tensor, _reference: Tensor) -> Tensor:
        """Binary cross-entropy."""
        for name, mask in (("est", est), ("target", target)):
            if mask.min() < 0 or mask.max() > 1:
                raise ValueError(
                    f"{name}: expected a mask from 0 to 1, received values from "
                    f"{mask.min().item():.3g} to {mask.max().item():.3g}."
                )
        # Autocast refuses this function because half precision cannot tell 1 from nearly 1.
        with torch.autocast(est.device.type, enabled=False):
            return F.binary_cross_entropy(est, target.to(est), reduction="none")


DISTANCES = {"l1": LogWeightedL1, "l2": LogWeightedL2}


@dataclass
class ReconstructionTerms:
    """What `HierarchicalReconstructionLoss` found.

    Attributes:
        url: caption level, unweighted.
        crl: phrase level, unweighted.
        total: `caption_weight * url + phrase_weight * crl`.
    """

    url: Tensor
    crl: Tensor
    total: Tensor


class HierarchicalReconstructionLoss(nn.Module):
    r"""Reconstruction at two levels: whole captions (URL) and single-source phrases (CRL).

    With the mixture of mixtures :math:`M = \sum_n M_n`, estimates :math:`\hat S(T)` of a text
    :math:`T`, captions :math:`T_n`, their phrases :math:`T_n^p`, and the distance
    :math:`d(\hat X, X; R)` of `LogWeightedL1`,

    .. math::
        \mathrm{URL} &= \sum_n d\big(\hat S(T_n), M_n; M\big) \\
        \mathrm{CRL} &= \sum_n d\Big(\sum_p w_{np}\,\hat S(T_n^p), M_n; M_n\Big) \\
        \mathcal{L} &= \gamma\,\mathrm{URL} + \beta\,\mathrm{CRL}

    Phrases that were repeated to fill :math:`P` carry :math:`w = 1/\text{(times repeated)}`.
    A mixture with more sources than phrases needs a place for the rest, otherwise a part is asked
    to add up to the whole: give its residual estimate as one more phrase of weight 1.

    Args:
        caption_weight: :math:`\gamma`.
        phrase_weight: :math:`\beta`.
        distance: :math:`d`, called `(est, target, reference)`, one value per example.
            Default: `LogWeightedL1(reduction="none")`.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.

    Shape:
        - est_captions, mixtures: :math:`(B, N, ...)`, magnitudes or waveforms.
        - est_phrases: :math:`(B, N, P, ...)`.
        - total: :math:`(B, ...)`.
        - phrase_weights: :math:`(B, N, P)`.

    References:
        Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic similarity",
        ICLR 2024.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import HierarchicalReconstructionLoss
        >>> phrases = torch.rand(2, 2, 3, 8, 5)  # two mixtures of three sources each
        >>> mixtures = phrases.sum(2)
        >>> loss = HierarchicalReconstructionLoss()
        >>> terms = loss(mixtures, phrases, mixtures, mixtures.sum(1), torch.ones(2, 2, 3))
        >>> round(terms.url.item(), 4), round(terms.crl.item(), 4)
        (0.0, 0.0)
    """

    def __init__(
        self,
        caption_weight: float = 5.0,
        phrase_weight: float = 5.0,
        *,
        distance: nn.Module | None = None,
        reduction: str = "mean",
    ):
        super().__init__()
        self.caption_weight = caption_weight
        self.phrase_weight = phrase_weight
        self.distance = distance or LogWeightedL1(reduction="none")
        self.reduction = check_reduction(reduction)

    def forward(
        self,
        est_captions: Tensor,
        est_phrases: Tensor,
        mixtures: Tensor,
        total: Tensor,
        phrase_weights: Tensor,
    ) -> ReconstructionTerms:
        """Returns both terms and their weighted sum (see the class)."""
        url = reduce_batch(self.url(est_captions, mixtures, total), self.reduction)
        crl = reduce_batch(self.crl(est_phrases, mixtures, phrase_weights), self.reduction)
        return ReconstructionTerms(url, crl, self.caption_weight * url + self.phrase_weight * crl)

    def url(self, est_captions: Tensor, mixtures: Tensor, total: Tensor) -> Tensor:
        """The caption level alone, one value per example: (B,)."""
        check_signals("mixtures", mixtures, "(batch, n_mix, ...)")
        batch, _, *rest = mixtures.shape
        check_shape("est_captions", est_captions, tuple(mixtures.shape), "the shape of mixtures")
        check_shape("total", total, (batch, *rest), "(batch, ...)")
        check_finite("total", total)
        return self._over_mixtures(est_captions, mixtures, total.unsqueeze(1).expand_as(mixtures))

    def crl(self, est_phrases: Tensor, mixtures: Tensor, phrase_weights: Tensor) -> Tensor:
        """The phrase level alone, one value per example: (B,)."""
        _check_phrases(est_phrases, mixtures, phrase_weights)
        phrases, weights = at_least_float32(est_phrases), at_least_float32(phrase_weights)
        added = (weights.view(*weights.shape, *[1] * (phrases.ndim - 3)) * phrases).sum(2)
        return self._over_mixtures(added, mixtures, mixtures)

    def _over_mixtures(self, est: Tensor, target: Tensor, reference: Tensor) -> Tensor:
        """Sums the distances of one example's mixtures: (B, N, ...) to (B,)."""
        batch, n_mix = est.shape[:2]
        flat = self.distance(est.flatten(0, 1), target.flatten(0, 1), reference.flatten(0, 1))
        return flat.view(batch, n_mix).sum(1)


def _check_phrases(phrases: Tensor, mixtures: Tensor, weights: Tensor) -> None:
    check_signals("mixtures", mixtures, "(batch, n_mix, ...)")
    check_signals("est_phrases", phrases, "(batch, n_mix, n_phrases, ...)", min_ndim=4)
    batch, n_mix, *rest = mixtures.shape
    n_phrases = phrases.shape[2]
    expected = (batch, n_mix, n_phrases, *rest)
    check_shape("est_phrases", phrases, expected, "(batch, n_mix, n_phrases, ...)")
    expected = (batch, n_mix, n_phrases)
    check_shape("phrase_weights", weights, expected, "(batch, n_mix, n_phrases)")
    check_finite("phrase_weights", weights)
    if (weights < 0).any():
        raise ValueError(f"phrase_weights: expected weights >= 0, received {weights.min().item()}.")
    lonely = (weights == 0).all(2)
    if lonely.any():
        row, mixture = lonely.nonzero()[0].tolist()
        raise ValueError(
            f"phrase_weights: expected an estimate for every mixture, received none for mixture "
            f"{mixture} of example {row}."
        )
