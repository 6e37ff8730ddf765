"""The bi-modal contrast: InfoNCE between estimates and the phrases that asked for them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .checks import (
    at_least_float32,
    check_finite,
    check_reduction,
    check_shape,
    check_signals,
    reduce_batch,
)


def bimodal_contrastive(
    audio_emb: Tensor,
    text_emb: Tensor,
    logit_scale: float | Tensor,
    same: Tensor | None = None,
    *,
    negatives: Tensor | None = None,
    symmetric: bool = False,
    reduction: str = "mean",
) -> Tensor:
    r"""InfoNCE between estimates and the phrases that asked for them.

    With logits :math:`l_{ij} = \tau\,\langle a_i, t_j\rangle` and the set :math:`S_i` of rows whose
    phrase equals that of row :math:`i`,

    .. math::
        \mathcal{L}_i = \frac{1}{|S_i|} \sum_{p \in S_i} -\log
            \frac{\exp l_{ip}}{\exp l_{ip} + \sum_{j \notin S_i} \exp l_{ij}}

    so equal phrases are positives of each other and never negatives. Where all phrases differ
    this is the cross-entropy of the paper. Texts that describe none of the estimates can join the
    negatives of every estimate.

    Args:
        audio_emb: embeddings of the estimates, L2-normalised.
        text_emb: embeddings of their phrases, L2-normalised.
        logit_scale: :math:`\tau`.
        same: true where two rows have equal phrases. ``None``: every row stands for itself,
            so that a repeated phrase is its own negative, as in the paper's release.
        negatives: embeddings of texts that are no estimate's own, L2-normalised.
        symmetric: also contrast each phrase with all estimates, and average the two directions.
            By default only each estimate with all phrases, as in the paper's release.
        reduction: ``"mean"`` over the rows, or ``"none"``.

    Shape:
        - audio_emb, text_emb: :math:`(M, E)`.
        - same: :math:`(M, M)` bool, symmetric, true on the diagonal.
        - negatives: :math:`(K, E)`.
        - output: scalar, or :math:`(M,)`.

    Returns:
        The loss.

    Raises:
        ValueError: if shapes disagree or a row has no positive.

    References:
        Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic similarity",
        ICLR 2024. van den Oord et al., "Representation learning with contrastive predictive
        coding", 2018.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import bimodal_contrastive
        >>> emb = torch.eye(3)
        >>> round(bimodal_contrastive(emb, emb, logit_scale=0.0).item(), 4)  # log(3): no idea
        1.0986
        >>> round(bimodal_contrastive(emb, emb, logit_scale=100.0).item(), 4)
        0.0
    """
    check_reduction(reduction)
    check_signals("audio_emb", audio_emb, "(rows, size)", min_ndim=2)
    check_shape("text_emb", text_emb, tuple(audio_emb.shape), "the shape of audio_emb")
    check_finite("text_emb", text_emb)
    check_finite("logit_scale", torch.as_tensor(logit_scale))
    same = _check_same(same, audio_emb)
    if negatives is None:
        negatives = text_emb[:0]
    check_shape("negatives", negatives, (len(negatives), text_emb.shape[1]), "(texts, size)")
    check_finite("negatives", negatives)
    # Autocast would round logits of size 14 to two or three digits.
    with torch.autocast(audio_emb.device.type, enabled=False):
        audio, text = at_least_float32(audio_emb), at_least_float32(text_emb)
        logits = logit_scale * audio @ text.to(audio).T  # (M, M): estimates, phrases
        others = logit_scale * audio @ at_least_float32(negatives).to(audio).T  # (M, K)
        rows = _against_negatives(logits, same, others)
        if symmetric:
            rows = (rows + _against_negatives(logits.T, same)) / 2
    return reduce_batch(rows, reduction)


def _against_negatives(logits: Tensor, same: Tensor, others: Tensor | None = None) -> Tensor:
    """Contrasts every positive of a row with the row's negatives: (M, M) and (M, K) to (M,)."""
    # The lowest number, not -inf: a row without negatives must have zero gradient, not NaN.
    negatives = logits.masked_fill(same, torch.finfo(logits.dtype).min)
    if others is not None:
        negatives = torch.cat([negatives, others], dim=1)
    negatives = negatives.logsumexp(1, keepdim=True)
    losses = F.softplus(negatives - logits)
    return losses.masked_fill(~same, 0).sum(1) / same.sum(1)


def _check_same(same: Tensor | None, rows: Tensor) -> Tensor:
    if same is None:
        return torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    check_shape("same", same, (len(rows), len(rows)), "(rows, rows)")
    same = same.to(rows.device, torch.bool)
    if not (same.diagonal().all() and torch.equal(same, same.T)):
        raise ValueError(
            "same: expected a symmetric matrix that is true on its diagonal (a phrase equals "
            "itself), received another."
        )
    return same
