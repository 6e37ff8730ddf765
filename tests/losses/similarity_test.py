"""Bi-modal contrast against cross-entropy and hand calculations; a tiny scorer stands for CLAP."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from asteroid_bimodal.losses import ClapSimilarityLoss, bimodal_contrastive


class TinyScorer(nn.Module):
    """Embeds band energies of short frames; texts get fixed random vectors."""

    sample_rate = 8000
    logit_scale = 14.3

    def __init__(self, size: int = 6, dtype=torch.float32):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.randn(8, size, generator=generator).to(dtype)
        self.calls = []

    def embed_audio(self, wav, sample_rate):
        self.calls.append((len(wav), sample_rate))
        frames = wav.unfold(-1, 8, 8).abs().mean(1)
        return F.normalize((frames + 1e-8).log() @ self.weight, dim=-1)

    def embed_text(self, texts):
        rows = []
        for text in texts:
            generator = torch.Generator().manual_seed(sum(map(ord, text)))
            rows.append(torch.randn(self.weight.shape[1], generator=generator))
        return F.normalize(torch.stack(rows), dim=-1).to(self.weight)


def unit(rows, size, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, size, generator=generator, dtype=dtype), dim=-1)


def test_without_duplicates_is_cross_entropy():
    audio, text = unit(5, 7), unit(5, 7, seed=1)
    logits = 14.3 * audio @ text.T
    truth = torch.arange(5)
    one_sided = bimodal_contrastive(audio, text, 14.3)
    assert one_sided.item() == pytest.approx(F.cross_entropy(logits, truth).item())
    both = bimodal_contrastive(audio, text, 14.3, symmetric=True)
    expected = (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2
    assert both.item() == pytest.approx(expected.item())


def test_equal_phrases_are_no_negatives():
    """With exact duplicates the loss of a row is what it would be without its twin."""
    audio, text = unit(3, 7), unit(3, 7, seed=1)
    twin = [0, 1, 2, 1]
    ids = torch.tensor(twin)
    rows = bimodal_contrastive(audio[twin], text[twin], 14.3, ids[:, None] == ids, reduction="none")
    assert rows[1].item() == pytest.approx(
        bimodal_contrastive(audio, text, 14.3, reduction="none")[1].item()
    )
    assert rows[3].item() == pytest.approx(rows[1].item())


def test_positives_of_each_other_by_hand():
    audio = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    text = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    # Phrase 0 with estimates 0 (logit 1) and 1 (logit 0), against estimate 2 (logit -1).
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    one_sided = bimodal_contrastive(audio, text, 1.0, same, reduction="none")
    both = bimodal_contrastive(audio, text, 1.0, same, symmetric=True, reduction="none")
    assert (2 * both - one_sided)[0].item() == pytest.approx(expected)


def test_all_phrases_equal_costs_nothing_and_has_no_nan():
    audio = unit(3, 4).requires_grad_()
    text = unit(1, 4, seed=1).expand(3, 4)
    loss = bimodal_contrastive(audio, text, 100.0, torch.ones(3, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(audio.grad, torch.zeros_like(audio))


def test_more_negatives_are_more_columns_of_the_cross_entropy():
    audio, text, others = unit(4, 7), unit(4, 7, seed=1), unit(3, 7, seed=2)
    logits, truth = 14.3 * audio @ torch.cat([text, others]).T, torch.arange(4)
    one_sided = bimodal_contrastive(audio, text, 14.3, negatives=others)
    assert one_sided.item() == pytest.approx(F.cross_entropy(logits, truth).item())
    both = bimodal_contrastive(audio, text, 14.3, negatives=others, symmetric=True)
    reverse = F.cross_entropy(logits[:, :4].T, truth)  # a phrase knows nothing of other texts
    assert both.item() == pytest.approx((F.cross_entropy(logits, truth) + reverse).item() / 2)


@pytest.mark.parametrize("symmetric", [False, True])
def test_contrast_gradcheck(symmetric):
    audio, text = unit(4, 3).requires_grad_(), unit(4, 3, seed=1).requires_grad_()
    ids = torch.tensor([0, 1, 0, 2])

    def loss(audio, text):
        return bimodal_contrastive(
            audio,
            text,
            3.0,
            ids[:, None] == ids,
            negatives=unit(2, 3, seed=2),
            symmetric=symmetric,
            reduction="none",
        )

    assert torch.autograd.gradcheck(loss, (audio, text))


def test_right_phrases_beat_swapped_ones():
    scorer = TinyScorer()
    phrases = [["violin", "flute"]]
    wavs = torch.randn(1, 2, 800)
    truth = scorer.embed_audio(wavs[0], 8000)
    scorer.embed_text = lambda texts: truth[[["violin", "flute"].index(t) for t in texts]]
    loss = ClapSimilarityLoss(scorer, logit_scale=100.0)
    assert loss(wavs, phrases) < loss(wavs.flip(1), phrases)


def test_embeds_all_estimates_in_one_call_at_the_given_rate():
    scorer = TinyScorer()
    wavs = torch.randn(3, 2, 160)
    phrases = [["a", "b"], ["c", "d"], ["e", "a"]]
    ClapSimilarityLoss(scorer)(wavs, phrases)
    ClapSimilarityLoss(scorer, sample_rate=16000)(wavs, phrases)
    assert scorer.calls == [(6, 8000), (6, 16000)]


def test_value_is_the_contrast_of_the_embeddings():
    scorer = TinyScorer()
    wavs, phrases = torch.randn(2, 2, 160), [["a", "b"], ["b", "c"]]
    audio = scorer.embed_audio(wavs.flatten(0, 1), 8000)
    text = scorer.embed_text(["a", "b", "b", "c"])
    ids = torch.tensor([0, 1, 1, 2])
    same = ids[:, None] == ids
    ours = ClapSimilarityLoss(scorer)(wavs, phrases)
    assert ours.item() == pytest.approx(
        bimodal_contrastive(audio, text, 14.3, same, symmetric=True).item()
    )
    release = ClapSimilarityLoss(scorer, symmetric=False, equal_phrases="negative")(wavs, phrases)
    expected = F.cross_entropy(14.3 * audio @ text.T, torch.arange(4))
    assert release.item() == pytest.approx(expected.item(), rel=1e-6)
    each = ClapSimilarityLoss(scorer, reduction="none")(wavs, phrases)
    assert each.shape == (2,) and each.mean().item() == pytest.approx(ours.item())


def test_other_wordings_of_one_sound_count_as_equal():
    scorer = TinyScorer()
    known = {"a dog barks": [1.0, 0.1], "dogs bark": [1.0, 0.2], "rain": [0.0, 1.0]}
    scorer.embed_text = lambda texts: F.normalize(torch.tensor([known[t] for t in texts]), dim=-1)
    scorer.embed_audio = lambda wavs, rate: F.normalize(wavs.mean(-1).unsqueeze(1) + audio, dim=-1)
    audio = torch.tensor([[0.9, 0.3], [0.2, 0.8], [0.7, 0.1], [0.1, 0.9]])
    wavs, phrases = torch.zeros(2, 2, 160), [["a dog barks", "rain"], ["dogs bark", "rain"]]
    text = scorer.embed_text([phrase for row in phrases for phrase in row])
    for equal_above, ids in ((0.999, [0, 1, 2, 1]), (0.98, [0, 1, 0, 1])):
        ids = torch.tensor(ids)
        expected = bimodal_contrastive(
            scorer.embed_audio(wavs.flatten(0, 1), 8000),
            text,
            14.3,
            ids[:, None] == ids,
            symmetric=True,
        )
        loss = ClapSimilarityLoss(scorer, equal_above=equal_above)(wavs, phrases)
        assert loss.item() == pytest.approx(expected.item())


def test_negatives_are_embedded_by_the_scorer():
    scorer = TinyScorer()
    wavs, phrases = torch.randn(1, 2, 160), [["a", "b"]]
    audio, text = scorer.embed_audio(wavs[0], 8000), scorer.embed_text(["a", "b"])
    expected = bimodal_contrastive(
        audio, text, 14.3, negatives=scorer.embed_text(["a and b"]), symmetric=True
    )
    loss = ClapSimilarityLoss(scorer)
    assert loss(wavs, phrases, negatives=["a and b"]).item() == pytest.approx(expected.item())
    assert loss(wavs, phrases, negatives=[]).item() == pytest.approx(loss(wavs, phrases).item())
    for wrong, match in (("a and b", "plain text"), ([" "], "non-empty"), ([3], "received 3")):
        with pytest.raises(ValueError, match=match):
            loss(wavs, phrases, negatives=wrong)


def test_query_embedding_equals_texts():
    scorer = TinyScorer()
    wavs, phrases = torch.randn(2, 2, 160), [["a", "b"], ["b", "c"]]
    pooled = scorer.embed_text(["a", "b", "b", "c"]).view(2, 2, -1)
    loss = ClapSimilarityLoss(scorer)
    query = SimpleNamespace(pooled=pooled)
    assert loss(wavs, query).item() == pytest.approx(loss(wavs, phrases).item())


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_chunks_give_identical_gradients(chunk_size):
    wavs = torch.randn(3, 2, 160, dtype=torch.float64)
    phrases = [["a", "b"], ["c", "d"], ["e", "a"]]
    grads = []
    for size in (None, chunk_size):
        est = wavs.clone().requires_grad_()
        scorer = TinyScorer(dtype=torch.float64)
        ClapSimilarityLoss(scorer, chunk_size=size)(est, phrases).backward()
        grads.append(est.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-12, atol=1e-15)


def test_gradcheck_through_the_scorer():
    wavs = torch.randn(1, 3, 32, dtype=torch.float64).requires_grad_()
    loss = ClapSimilarityLoss(TinyScorer(dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda est: loss(est, [["a", "b", "a"]]), (wavs,))


@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-8])
def test_silent_and_weak_estimates_have_finite_gradients(level):
    wavs = (level * torch.randn(2, 2, 160)).requires_grad_()
    loss = ClapSimilarityLoss(TinyScorer())(wavs, [["a", "b"], ["c", "a"]])
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(wavs.grad).all()


def test_zero_embeddings_have_finite_gradients():
    scorer = TinyScorer()
    scorer.embed_audio = lambda wav, rate: wav[:, :6]
    wavs = torch.zeros(1, 2, 160, requires_grad=True)
    ClapSimilarityLoss(scorer)(wavs, [["a", "b"]]).backward()
    assert torch.isfinite(wavs.grad).all()


def test_half_precision_estimates():
    wavs, phrases = torch.randn(1, 2, 160), [["a", "b"]]
    loss = ClapSimilarityLoss(TinyScorer())
    half = loss(wavs.bfloat16(), phrases)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(loss(wavs, phrases).item(), rel=0.05)


def test_autocast_does_not_round_the_contrast():
    audio, text = unit(5, 7, dtype=torch.float32), unit(5, 7, seed=1, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = bimodal_contrastive(audio, text, 14.3)
    assert torch.equal(inside, bimodal_contrastive(audio, text, 14.3))


def test_autocast_does_not_make_embeddings_differ_from_themselves():
    """A product in bfloat16 was less than 1 on the diagonal, and the loss an error."""
    wavs, pooled = torch.randn(2, 2, 160), unit(4, 6, dtype=torch.float32)
    pooled[2] = pooled[1]  # equal phrases stay equal, too
    query, loss = SimpleNamespace(pooled=pooled.view(2, 2, -1)), ClapSimilarityLoss(TinyScorer())
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(wavs, query)
    assert inside.item() == pytest.approx(loss(wavs, query).item(), rel=0.05)


def test_contrast_errors():
    emb = unit(3, 4)
    with pytest.raises(ValueError, match="text_emb: expected"):
        bimodal_contrastive(emb, unit(2, 4), 1.0)
    with pytest.raises(ValueError, match=r"\(rows, rows\) = \(3, 3\), received \(2, 2\)"):
        bimodal_contrastive(emb, emb, 1.0, torch.eye(2))
    with pytest.raises(ValueError, match=r"negatives: .*\(2, 4\), received \(2, 5\)"):
        bimodal_contrastive(emb, emb, 1.0, negatives=unit(2, 5))
    with pytest.raises(ValueError, match="diagonal"):
        bimodal_contrastive(emb, emb, 1.0, torch.zeros(3, 3))
    with pytest.raises(ValueError, match="audio_emb: .*NaN"):
        bimodal_contrastive(emb * torch.nan, emb, 1.0)


@pytest.mark.parametrize(
    "phrases, match",
    [
        ([["a", "b"]], r"2 lists of 2 texts.*received lists of \[2\]"),
        ([["a", "b"], ["c"]], r"received lists of \[2, 1\]"),
        ([["a", "b"], ["c", " "]], "non-empty"),
        ([["a", "b"], ["c", 3]], "non-empty texts, received 3"),
        (["ab", "cd"], "plain text"),
        ("ab", "plain text"),
        (SimpleNamespace(pooled=torch.rand(2, 3, 6)), "n_queries"),
        (SimpleNamespace(pooled=torch.rand(2, 2, 5)), "one space"),
    ],
)
def test_phrase_errors(phrases, match):
    with pytest.raises(ValueError, match=match):
        ClapSimilarityLoss(TinyScorer())(torch.randn(2, 2, 160), phrases)


def test_other_errors():
    loss = ClapSimilarityLoss(TinyScorer())
    with pytest.raises(ValueError, match=r"\(batch, n_est, time\)"):
        loss(torch.randn(2, 160), [["a"], ["b"]])
    with pytest.raises(ValueError, match=r"\(batch, n_est, time\)"):
        loss(torch.randn(2, 1, 16, 10), [["a"], ["b"]])
    with pytest.raises(ValueError, match="NaN"):
        loss(torch.full((1, 1, 160), torch.nan), [["a"]])
    with pytest.raises(ValueError, match="sample_rate: .* received 0"):
        ClapSimilarityLoss(TinyScorer(), sample_rate=0)
    with pytest.raises(ValueError, match="chunk_size"):
        ClapSimilarityLoss(TinyScorer(), chunk_size=0)
    with pytest.raises(ValueError, match="equal_phrases"):
        ClapSimilarityLoss(TinyScorer(), equal_phrases="ignore")
    with pytest.raises(ValueError, match=r"equal_above: expected a number in \(0, 1\)"):
        ClapSimilarityLoss(TinyScorer(), equal_above=1.0)
