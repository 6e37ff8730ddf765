"""CNT: an estimate should sound like the phrase that asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .checks import (
    at_least_float32,
    check_finite,
    check_reduction,
    check_shape,
    check_signals,
    reduce_batch,
)
from .gather import gather_rows, gather_texts

if TYPE_CHECKING:
    from ..queries.base import QueryEmbedding


class Scorer(Protocol):
    """What `ClapSimilarityLoss` needs: waveforms and texts embedded in one space."""

    sample_rate: int
    logit_scale: float

    def embed_audio(self, wav: Tensor, sample_rate: int) -> Tensor:
        """Embeds waveforms (M, T) as (M, E), differentiably."""

    def embed_text(self, texts: list[str]) -> Tensor:
        """Embeds M texts as (M, E)."""


class ClapSimilarityLoss(nn.Module):
    """Makes estimates match their own phrases in a frozen audio-text space (CNT).

    All estimates are embedded in one batch, and contrasted with all phrases of the batch:
    see `bimodal_contrastive` for the equation.

    Args:
        scorer: anything with `embed_audio(wav, sample_rate)`, `embed_text(texts)`,
            `sample_rate` and `logit_scale`, such as `asteroid_bimodal.scorers.ClapScorer`.
        logit_scale: sharpness of the contrast. Default: the scorer's own.
        reduction: ``"mean"`` over the batch, or ``"none"`` for one value per example.
        sample_rate: of the estimates. Default: the scorer's.
        symmetric: contrast in both directions; ``False`` is the paper's release, which only
            contrasts each estimate with the phrases.
        equal_phrases: ``"positive"``: equal phrases are positives of each other;
            ``"negative"``: as in the paper's release.
        equal_above: cosine similarity of two phrases' embeddings above which they count as equal.
            Lower values join other wordings of one sound, "a dog barks" and "dogs are barking",
            which no estimate could be told apart by.
        chunk_size: embed this many estimates at a time, and again in the backward pass:
            bounded memory, the same gradients, about a third more time.
        gather: contrast with the estimates and phrases of all processes that train together, each
            of which has as many, and returns the loss of its own. Their mean, and its gradient
            averaged over processes, are those of one process with all examples.

    Shape:
        - est_wavs: :math:`(B, S, T)`.
        - phrases: B lists of S texts, or a `QueryEmbedding` of B examples and S queries,
          whose pooled embeddings are in the scorer's space.
        - negatives: any number of texts that describe no estimate, such as captions of several
          sounds: an estimate with remains of another sound is too near to them.
        - output: scalar, or :math:`(B,)`.

    References:
        Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic similarity",
        ICLR 2024.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.losses import ClapSimilarityLoss
        >>> class Pitch:  # hears the sign of the mean
        ...     sample_rate, logit_scale = 8000, 10.0
        ...
        ...     def embed_audio(self, wav, sample_rate):
        ...         return torch.stack([wav.mean(-1), 0 * wav.mean(-1)], dim=-1)
        ...
        ...     def embed_text(self, texts):
        ...         return torch.tensor([[1.0 if text == "up" else -1.0, 0.0] for text in texts])
        >>> wavs = torch.ones(1, 2, 100) * torch.tensor([[[0.3], [-0.3]]])
        >>> loss = ClapSimilarityLoss(Pitch())
        >>> round(loss(wavs, [["up", "down"]]).item(), 2)
        0.0
        >>> round(loss(wavs, [["down", "up"]]).item(), 2)
        20.0
    """

    def __init__(
        self,
        scorer: Scorer,
        logit_scale: float | None = None,
        reduction: str = "mean",
        *,
        sample_rate: int | None = None,
        symmetric: bool = True,
        equal_phrases: str = "positive",
        equal_above: float = 1 - 1e-5,
        chunk_size: int | None = None,
        gather: bool = False,
    ):
        super().__init__()
        self.scorer = scorer
        self.logit_scale = scorer.logit_scale if logit_scale is None else logit_scale
        self.reduction = check_reduction(reduction)
        self.sample_rate = scorer.sample_rate if sample_rate is None else sample_rate
        self.symmetric = symmetric
        self.equal_phrases = equal_phrases
        self.equal_above = equal_above
        self.chunk_size = chunk_size
        self.gather = gather
        rate = self.sample_rate
        if not isinstance(rate, (int, float)) or rate <= 0 or not float(rate).is_integer():
            raise ValueError(
                f"sample_rate: expected a whole number of hertz above 0, received {rate!r}."
            )
        if equal_phrases not in ("positive", "negative"):
            raise ValueError(
                f"equal_phrases: expected 'positive' or 'negative', received {equal_phrases!r}."
            )
        if not 0 < equal_above < 1:
            raise ValueError(f"equal_above: expected a number in (0, 1), received {equal_above!r}.")
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size: expected at least 1, received {chunk_size}.")

    def forward(
        self,
        est_wavs: Tensor,
        phrases: list[list[str]] | QueryEmbedding,
        negatives: Sequence[str] = (),
    ) -> Tensor:
        """Returns the loss of the estimates against the phrases that asked for them."""
        check_signals("est_wavs", est_wavs, "(batch, n_est, time)")
        check_shape("est_wavs", est_wavs, tuple(est_wavs.shape[:3]), "(batch, n_est, time)")
        batch, n_est, _ = est_wavs.shape
        text = self._embed_phrases(phrases, batch, n_est)
        audio = self._embed_audio(at_least_float32(est_wavs).flatten(0, 1))  # (B*S, E)
        if audio.shape != text.shape:
            raise ValueError(
                f"expected estimates and phrases in one space, received embeddings of shape "
                f"{tuple(audio.shape)} and {tuple(text.shape)}: use the scorer's own text encoder."
            )
        audio, text, own = _unit(audio), _unit(text).to(audio.device), slice(None)
        if self.gather:
            (audio, own), (text, _) = gather_rows(audio), gather_rows(text)
            negatives = gather_texts(negatives)
        rows = bimodal_contrastive(
            audio,
            text.to(audio),
            self.logit_scale,
            self._equal(text) if self.equal_phrases == "positive" else None,
            negatives=self._embed_negatives(negatives, audio),
            symmetric=self.symmetric,
            reduction="none",
        )
        return reduce_batch(rows[own].view(batch, n_est).mean(1), self.reduction)

    def _embed_audio(self, wavs: Tensor) -> Tensor:
        """Embeds rows of audio, in checkpointed chunks where a chunk size is set."""
        if self.chunk_size is None or len(wavs) <= self.chunk_size:
            return self.scorer.embed_audio(wavs, self.sample_rate)
        chunks = [
            checkpoint(self.scorer.embed_audio, chunk, self.sample_rate, use_reentrant=False)
            for chunk in wavs.split(self.chunk_size)
        ]
        return torch.cat(chunks)

    def _embed_phrases(
        self, phrases: list[list[str]] | QueryEmbedding, batch: int, n_est: int
    ) -> Tensor:
        """Returns the phrases' embeddings (M, E)."""
        if hasattr(phrases, "pooled"):
            check_shape("phrases", phrases.pooled[..., 0], (batch, n_est), "(batch, n_queries)")
            return phrases.pooled.flatten(0, 1).detach()
        return self.scorer.embed_text(check_phrases(phrases, batch, n_est)).detach()

    def _equal(self, text: Tensor) -> Tensor:
        """Says which of the phrases are equal (M, M), by their embeddings of length 1."""
        rows = text.double()  # which neither autocast nor TensorFloat-32 rounds
        similarity = rows @ rows.T
        # Both orders of a sum of products may differ by their rounding.
        same = similarity + similarity.T > 2 * self.equal_above
        return same.fill_diagonal_(True)

    def _embed_negatives(self, texts: Sequence[str], audio: Tensor) -> Tensor | None:
        if not texts:
            return None
        flat = check_phrases([texts], 1, len(texts))
        return _unit(self.scorer.embed_text(flat)).detach().to(audio)


def _unit(embedding: Tensor) -> Tensor:
    """L2-normalises rows; the generous epsilon keeps a silent estimate's gradient moderate."""
    return F.normalize(at_least_float32(embedding), dim=-1, eps=1e-6)


def check_phrases(phrases: Sequence[Sequence[str]], batch: int, n_est: int) -> list[str]:
    """Returns `n_est` non-empty texts for each of `batch` examples as one flat list."""
    if isinstance(phrases, str) or any(isinstance(row, str) for row in phrases):
        raise ValueError("phrases: expected a list of texts per example, received a plain text.")
    counts = [len(row) for row in phrases]
    if counts != [n_est] * batch:
        raise ValueError(
            f"phrases: expected {batch} lists of {n_est} texts, one per estimate, "
            f"received lists of {counts}."
        )
    texts = [text for row in phrases for text in row]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"phrases: expected non-empty texts, received {text!r}.")
    return texts


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
