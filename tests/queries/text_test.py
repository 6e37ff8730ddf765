import pytest
import torch

from asteroid_bimodal.queries import ClapTextEncoder
from asteroid_bimodal.scorers import ClapScorer, load_clap

TEXTS = ["violin", "The sound mixture of violin and acoustic guitar", "a zebra hums"]


@pytest.fixture(scope="module")
def encoder():
    return ClapTextEncoder("mini")


def test_tokens_are_the_text_towers_last_states(encoder):
    query = encoder([TEXTS])
    clap = load_clap("mini")
    for index, text in enumerate(TEXTS):
        ids = clap.tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = clap.model.text_model(ids).last_hidden_state[0]
        real = query.mask[0, index]
        assert real.sum() == len(expected)
        torch.testing.assert_close(query.tokens[0, index][real], expected, atol=1e-5, rtol=1e-5)


def test_pooled_is_the_scorers_text_embedding(encoder):
    expected = ClapScorer("mini").embed_text(TEXTS)
    torch.testing.assert_close(encoder([TEXTS]).pooled[0], expected, atol=1e-5, rtol=1e-5)


def test_shapes(encoder):
    query = encoder([["violin", "flute"]] * 3)
    assert query.tokens.shape[:2] == (3, 2) and query.tokens.shape[3] == encoder.token_dim
    assert query.pooled.shape == (3, 2, encoder.pooled_dim)
    assert query.mask.dtype == torch.bool and not query.tokens.requires_grad


def test_padding_to_the_context_length_changes_no_real_token(encoder):
    padded = ClapTextEncoder("mini", padding="max_length")([TEXTS])
    query = encoder([TEXTS])
    assert padded.tokens.shape[2] == encoder.context_length
    assert torch.equal(padded.mask.sum(-1), query.mask.sum(-1))
    torch.testing.assert_close(
        padded.tokens[padded.mask], query.tokens[query.mask], atol=1e-5, rtol=1e-5
    )


def test_long_texts_are_cut():
    encoder = ClapTextEncoder("mini", context_length=5)
    query = encoder([["violin and flute and tuba and cello and erhu", "violin"]])
    assert query.mask.sum(-1).tolist() == [[5, 3]]


def test_any_text_has_an_embedding(encoder):
    query = encoder([["Ünïcödé 音楽 🎻", "a" * 500, "x"]])
    assert torch.isfinite(query.tokens).all() and torch.isfinite(query.pooled).all()


def test_case_does_not_matter_to_the_mini(encoder):
    query = encoder([["Violin", "violin"]])
    torch.testing.assert_close(query.pooled[0, 0], query.pooled[0, 1], atol=1e-5, rtol=1e-5)


def test_it_is_frozen(encoder):
    encoder.train()
    assert not encoder.network.training
    assert list(encoder.parameters()) == [] and len(encoder.state_dict()) == 0
    assert torch.equal(encoder([["tuba"]]).pooled, ClapTextEncoder("mini")([["tuba"]]).pooled)


def test_embeddings_survive_on_disk(tmp_path, monkeypatch):
    first, second = ClapTextEncoder("mini"), ClapTextEncoder("mini")
    expected = first([["violin", "a flute playing"]])
    first.cache.save(tmp_path / "e.safetensors", first.fingerprint)
    assert second.cache.load(tmp_path / "e.safetensors", second.fingerprint) == 2
    monkeypatch.setattr(second, "encode", None)
    assert torch.equal(second([["violin", "a flute playing"]]).tokens, expected.tokens)


def test_the_fingerprint_knows_the_settings(encoder):
    assert encoder.fingerprint == ClapTextEncoder("mini").fingerprint
    assert encoder.fingerprint != ClapTextEncoder("mini", context_length=9).fingerprint


@pytest.mark.parametrize("options", [{"context_length": 2}, {"context_length": 1000}])
def test_bad_context_length(options):
    with pytest.raises(ValueError, match="context_length between 3 and"):
        ClapTextEncoder("mini", **options)


def test_bad_padding():
    with pytest.raises(ValueError, match="padding 'longest' or 'max_length'"):
        ClapTextEncoder("mini", padding="left")
