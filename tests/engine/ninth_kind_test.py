"""A ninth kind of query: one class and one line of registration, from training to a model card."""

from __future__ import annotations

import pytest
import torch

from asteroid_bimodal.engine.build import encoder_spec
from asteroid_bimodal.engine.evaluate import evaluate
from asteroid_bimodal.engine.loaders import build_test_set
from asteroid_bimodal.engine.prepare import embed_texts
from asteroid_bimodal.engine.train import train
from asteroid_bimodal.hub.card import model_card
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import (
    ENCODERS,
    EncodedQuery,
    EncoderSpec,
    QueryEncoder,
    encode_queries,
    load_query_encoder,
)
from asteroid_bimodal.queries.spec import whole_number


class SpelledEncoder(QueryEncoder):
    """Counts the letters of a text, folded into SIZE places: `letters:SIZE`."""

    kind = "letters"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.spec = EncoderSpec(self.kind, str(size))
        self.token_dim = self.pooled_dim = size

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> SpelledEncoder:
        return cls(whole_number(spec.name, "number of places"))

    def encode(self, queries: list[str]) -> list[EncodedQuery]:
        size = self.pooled_dim
        eye = torch.eye(size)
        encoded = []
        for text in queries:
            tokens = eye[[ord(letter) % size for letter in text]]  # (L, size)
            pooled = torch.nn.functional.normalize(tokens.sum(dim=0), dim=0)
            encoded.append(EncodedQuery(tokens, torch.ones(len(text), dtype=torch.bool), pooled))
        return encoded


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(ENCODERS, "letters", f"{__name__}:SpelledEncoder")


@pytest.fixture
def conf(registered, tiny_conf, tone_set):
    return tiny_conf(tone_set, **{"query.encoder": "letters:16"})


def test_it_trains_saves_loads_and_separates_by_its_name(conf, tmp_path):
    assert str(encoder_spec(conf)) == "letters:16"
    embed_texts(conf)
    best = train(conf, tmp_path / "exp")
    model = load_separator(best)
    assert type(model.query_encoder) is SpelledEncoder
    items = build_test_set(conf, "test", 2, limit=1)
    assert len(evaluate(model, items).rows) == 2

    model.save_pretrained(tmp_path / "saved", bundle_encoder=True)
    loaded = load_separator(tmp_path / "saved")
    assert loaded.get_model_args()["query_encoder"] == "letters:16"
    wav = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    query = encode_queries(loaded, ["violin", "flute"])
    assert query.pooled.shape == (1, 2, 16) and not torch.equal(*query.pooled[0])
    with torch.no_grad():
        torch.testing.assert_close(loaded(wav, query), model(wav, ["violin", "flute"]))

    card = model_card(model, conf={}, run={}, results=[], repo_id="me/letters")
    assert "text-conditioned" in card and '["violin", "flute"]' in card


def test_its_name_is_read_and_checked(registered):
    spec = EncoderSpec.parse("letters:8")
    assert spec.portable and str(load_query_encoder("letters:8").spec) == "letters:8"
    with pytest.raises(ValueError, match="Did you mean 'letters'"):
        load_query_encoder("leters:8")
    with pytest.raises(ValueError, match="number of places"):
        load_query_encoder("letters:many")


def test_without_registration_nobody_knows_it():
    with pytest.raises(ValueError, match="Expected a query encoder of clap"):
        load_query_encoder("letters:8")
