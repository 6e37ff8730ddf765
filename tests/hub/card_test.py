"""The card's header is what the hub reads; its figures are those of the experiment."""

from __future__ import annotations

import pytest
import yaml

from asteroid_bimodal.hub.card import model_card
from asteroid_bimodal.models import BiModalUNet

CONF = {
    "system": "bimodal_clap",
    "data": {"name": "music", "root": "/home/somebody/egs/music/data/mini", "n_src": 2},
    "loss": {"terms": ["url", "crl"]},
    "scorer": {"name": "mini"},
}
RUN = {"command": "train.py --exp_dir exp/a --lr 1e-3", "minutes": 12.5, "parameters": 123456}
METRICS = {
    "sdr": 5.123456,
    "sdr_imp": -0.5,
    "clap_score": None,
    "interval_95": {"sdr": [4.5, 5.75], "sdr_imp": None},
    "n_items": 100,
    "n_skipped": 3,
    "test_list": "test_2src_100.csv",
}


@pytest.fixture(scope="module")
def model():
    return BiModalUNet(8000, 126, 32, None, cond_dim=6, pooled_dim=4, num_downs=5, ngf=2)


def header_and_text(card):
    _, header, text = card.split("---\n", 2)
    return yaml.safe_load(header), text


def test_header_holds_tags_and_figures(model):
    card = model_card(model, conf=CONF, run=RUN, metrics=METRICS, repo_id="me/separator")
    header, _ = header_and_text(card)
    assert {"asteroid", "audio-source-separation"} <= set(header["tags"])
    assert header["license"] == "mit"
    (entry,) = header["model-index"]
    assert entry["name"] == "separator"
    (result,) = entry["results"]
    assert result["dataset"]["name"] == "music mini"
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"sdr": 5.123, "sdr_imp": -0.5}


def test_text_says_how_it_was_made_how_good_it_is_and_how_to_use_it(model):
    card = model_card(model, conf=CONF, run=RUN, metrics=METRICS, repo_id="me/separator")
    _, text = header_and_text(card)
    for expected in (
        "from asteroid_bimodal.models import BiModalUNet\n",
        'model = BiModalUNet.from_pretrained("me/separator")\n'
        'estimates = model.separate("duet.wav", ["violin", "flute"])\n',
        "    train.py --exp_dir exp/a --lr 1e-3\n",
        "| Parameters | 123,456 |\n",
        "| SDR (dB) | 5.12 | 4.50 to 5.75 |\n| SDR improvement over the mixture (dB) | -0.50 | – |",
        "`test_2src_100.csv`: 100 mixtures",
        "could not be read: 3",
        "8000 Hz",
        "## Licence",
    ):
        assert expected in text
    assert "/home" not in card


def test_bare_experiment_gives_a_card_that_says_so(model):
    header, text = header_and_text(
        model_card(model, conf={}, run={}, metrics={}, repo_id="me/separator")
    )
    assert "model-index" not in header
    assert "It was not evaluated." in text
