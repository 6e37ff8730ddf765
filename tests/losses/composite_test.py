import pytest
import torch
from torch import nn

from asteroid_bimodal.losses import HierarchicalReconstructionLoss, bimodal_contrastive
from asteroid_bimodal.losses.composite import CompositeLoss, SeparatorOutputs, Weighted
from asteroid_bimodal.losses.terms import (
    CNT,
    CRL,
    URL,
)


def estimates(num_mixtures=2, num_phrases=3, seed=0, **changes) -> SeparatorOutputs:
    generator = torch.Generator().manual_seed(seed)
    batch, freq, frames = 2, 6, 5

    def rand(*shape):
        return 3 * torch.rand(shape, generator=generator)

    mixtures = rand(batch, num_mixtures, freq, frames)
    drawn = {
        "total": mixtures.sum(1) * 0.9,
        "mixtures": mixtures,
        "captions": rand(batch, num_mixtures, freq, frames),
        "phrases": rand(batch, num_mixtures, num_phrases, freq, frames),
        "phrase_wavs": rand(batch, num_mixtures * num_phrases, 40) - 1.5,
        "phrase_texts": [
            [f"{b} {k}" for k in range(num_mixtures * num_phrases)] for b in range(batch)
        ],
        "phrase_weights": torch.randint(1, 3, (batch, num_mixtures, num_phrases)).reciprocal(),
    }
    return SeparatorOutputs(**{**drawn, **changes})


class Scorer(nn.Module):
    """Embeds a waveform by its first samples and a text by its characters."""

    sample_rate, logit_scale = 8000, 3.0

    def embed_audio(self, wav, sample_rate):
        assert sample_rate == self.sample_rate
        return nn.functional.normalize(wav[:, :4], dim=-1)

    def embed_text(self, texts):
        rows = [[ord(c) % 7 for c in text.ljust(4)[:4]] for text in texts]
        return nn.functional.normalize(torch.tensor(rows, dtype=torch.float), dim=-1)


class Constant(nn.Module):
    def __init__(self, value, *needs):
        super().__init__()
        self.value, self.needs, self.calls = nn.Parameter(torch.tensor(value)), frozenset(needs), 0

    def forward(self, _):
        self.calls += 1
        return self.value


def weighted(terms, weights, start=None, **settings) -> CompositeLoss:
    start = start or {}
    found = {name: Weighted(terms[name], weights[name], start.get(name, 0)) for name in terms}
    return CompositeLoss(found, **settings)


@pytest.mark.parametrize(("num_mixtures", "num_phrases"), [(1, 1), (2, 1), (2, 3), (3, 2)])
def test_both_levels_equal_the_hierarchical_loss(num_mixtures, num_phrases):
    e = estimates(num_mixtures, num_phrases)
    golden = HierarchicalReconstructionLoss()(
        e.captions, e.phrases, e.mixtures, e.total, e.phrase_weights
    )
    assert torch.equal(URL()(e).mean(), golden.url)
    assert torch.equal(CRL()(e).mean(), golden.crl)
    composite = CompositeLoss({"url": Weighted(URL(), 5.0), "crl": Weighted(CRL(), 5.0)})
    torch.testing.assert_close(composite(e).total, golden.total)


def test_reconstruction_by_hand():
    """One bin: |M1| = 1, |M2| = 2, |M| = 3, estimates 0.5 and 2.5, phrases 0.25 + 0.5 and 1 + 2."""
    e = SeparatorOutputs(
        total=torch.full((1, 1, 1), 3.0),
        mixtures=torch.tensor([1.0, 2.0]).view(1, 2, 1, 1),
        captions=torch.tensor([0.5, 2.5]).view(1, 2, 1, 1),
        phrases=torch.tensor([[0.25, 0.5], [1.0, 2.0]]).view(1, 2, 2, 1, 1),
        phrase_weights=torch.tensor([[[1.0, 1.0], [0.5, 0.5]]]),
    )
    log = torch.log1p(torch.tensor([1.0, 2.0, 3.0])).tolist()
    url = log[2] * 0.5 + log[2] * 0.5
    crl = log[0] * abs(0.75 - 1) + log[1] * abs(1.5 - 2)
    assert URL()(e).item() == pytest.approx(url)
    assert CRL()(e).item() == pytest.approx(crl)


def test_similarity_contrasts_all_phrases_of_the_batch():
    e, scorer = estimates(), Scorer()
    texts = [text for row in e.phrase_texts for text in row]
    expected = bimodal_contrastive(
        scorer.embed_audio(e.phrase_wavs.flatten(0, 1), 8000),
        scorer.embed_text(texts),
        scorer.logit_scale,
        symmetric=True,
    )
    torch.testing.assert_close(CNT(scorer, 8000)(e).mean(), expected)
    torch.testing.assert_close(CNT(scorer, 8000, chunk_size=5)(e).mean(), expected)


def test_the_weighted_sum_of_its_terms():
    terms = {"a": Constant(2.0), "b": Constant(3.0), "c": Constant(5.0)}
    report = weighted(terms, {"a": 0.5, "b": 10, "c": 1})(estimates())
    assert report.total.item() == 0.5 * 2 + 10 * 3 + 5
    assert {name: value.item() for name, value in report.terms.items()} == {"a": 2, "b": 3, "c": 5}


def test_gradients_carry_the_weights():
    terms = {"a": Constant(2.0), "b": Constant(3.0)}
    weighted(terms, {"a": 0.5, "b": 10})(estimates()).total.backward()
    assert [term.value.grad.item() for term in terms.values()] == [0.5, 10.0]


def test_terms_begin_at_their_step():
    terms = {"url": Constant(1.0, "captions"), "cnt": Constant(1.0, "phrases", "waveforms")}
    loss = weighted(terms, {"url": 1, "cnt": 1}, start={"cnt": 100})
    assert loss.active(99) == ["url"] and loss.active(100) == ["url", "cnt"]
    assert loss.needs(99) == {"captions"}
    assert loss.needs(100) == {"captions", "phrases", "waveforms"}
    assert list(loss(estimates(), step=99).terms) == ["url"] and terms["cnt"].calls == 0
    assert list(loss(estimates(), step=100).terms) == ["url", "cnt"]
    assert list(loss(estimates()).terms) == ["url", "cnt"]


def test_a_term_without_weight_costs_nothing():
    terms = {"url": Constant(1.0, "captions"), "cnt": Constant(1.0, "phrases")}
    loss = weighted(terms, {"url": 1, "cnt": 0})
    assert loss.needs(0) == {"captions"}
    loss(estimates(), step=0)
    assert terms["cnt"].calls == 0


@pytest.mark.parametrize(
    ("terms", "weights", "start"),
    [
        ({}, {}, {}),
        ({"url": Constant(1.0)}, {"url": 0.0}, {}),
        ({"url": Constant(1.0)}, {"url": 1.0}, {"url": 5}),
    ],
)
def test_something_has_to_count(terms, weights, start):
    with pytest.raises(ValueError, match="No loss term counts from the first step"):
        weighted(terms, weights, start)


def scaled(e: SeparatorOutputs, factors: torch.Tensor) -> SeparatorOutputs:
    """Each example at another level."""
    f = factors.view(-1, 1, 1)
    return SeparatorOutputs(
        total=e.total * f,
        mixtures=e.mixtures * f[:, None],
        captions=e.captions * f[:, None],
        phrases=e.phrases * f[:, None, None],
        phrase_wavs=e.phrase_wavs * f,
        phrase_texts=e.phrase_texts,
        phrase_weights=e.phrase_weights,
    )


def all_terms(**settings) -> CompositeLoss:
    terms = {
        "url": URL(),
        "crl": CRL(),
        "cnt": CNT(Scorer(), 8000),
    }
    return weighted(terms, {"url": 5.0, "crl": 5.0, "cnt": 0.5}, **settings)


def test_normalised_terms_do_not_depend_on_the_level():
    e = estimates()
    quiet = scaled(e, torch.tensor([0.01, 7.0]))
    expected, report = (all_terms(normalise=True)(x) for x in (e, quiet))
    for name, value in expected.terms.items():
        torch.testing.assert_close(report.terms[name], value, msg=name)
    plain = all_terms()
    assert plain(quiet).terms["url"].item() != pytest.approx(plain(e).terms["url"].item(), rel=0.1)


def test_normalised_magnitudes_have_mean_one():
    e = estimates().normalised()
    torch.testing.assert_close(e.total.mean(dim=(1, 2)), torch.ones(2))
    silent = estimates(total=torch.zeros(2, 6, 5)).normalised()
    assert torch.isfinite(silent.mixtures).all()


def test_perfect_estimates_of_captions_and_phrases():
    phrases = torch.rand(2, 2, 3, 6, 5)
    mixtures = phrases.sum(2)
    e = estimates(
        total=mixtures.sum(1),
        mixtures=mixtures,
        captions=mixtures,
        phrases=phrases,
        phrase_weights=torch.ones(2, 2, 3),
    )
    terms = all_terms()(e).terms
    assert terms["url"].item() == 0 and terms["crl"].item() < 1e-6
