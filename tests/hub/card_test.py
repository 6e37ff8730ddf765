"""The card's header is what the hub reads; its figures are those of the experiment."""

from __future__ import annotations

import re

import pytest
from huggingface_hub import EvalResult, ModelCard

from asteroid_bimodal.hub.artifacts import PublishedExample
from asteroid_bimodal.hub.card import model_card
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import EncoderSpec
from asteroid_bimodal.queries.labels import join_list

CONF = {
    "system": "bimodal_clap",
    "data": {"name": "MUSIC", "root": "/home/somebody/egs/music/data/mini", "n_src": 2},
    "loss": {"url": {"weight": 5.0}, "crl": {"weight": 5.0}},
    "scorer": {"name": "mini"},
}
RUN = {"command": "train.py --exp_dir exp/a --lr 1e-3", "minutes": 12.5, "parameters": 123456}
METRICS = {
    "sdr": 5.123456,
    "sdr_imp": -0.5,
    "si_sdr": float("nan"),
    "clap_score": None,
    "interval_95": {"sdr": [4.5, 5.75], "sdr_imp": None},
    "n_items": 100,
    "n_skipped": 3,
    "test_list": "test_2src_100.csv",
}
MORE = {"sdr": 2.0, "n_items": 50, "test_list": "test_3src_50.csv"}


@pytest.fixture(scope="module")
def make_card():
    def make(encoder=None, conf=CONF, run=RUN, results=(METRICS, MORE), **more):
        model = BiModalUNet(
            8000, 126, 32, encoder, cond_dim=6, pooled_dim=4, num_downs=5, ngf=2, num_heads=2
        )
        about = {"conf": conf, "run": run, "results": results, "repo_id": "me/separator"}
        return model_card(model, **about, **more)

    return make


def test_header_is_read_by_the_hubs_own_reader(make_card):
    data = ModelCard(make_card("mini")).data
    assert {"asteroid", "audio-source-separation", "text-conditioned"} <= set(data.tags)
    assert (data.license, data.library_name, data.datasets) == ("mit", "asteroid", ["MUSIC"])
    assert data.model_name == "separator" and data.metrics == ["sdr", "sdr_imp"]
    assert all(type(result) is EvalResult for result in data.eval_results)
    found = {(r.dataset_config, r.metric_type): r.metric_value for r in data.eval_results}
    assert found == {
        ("test_2src_100.csv", "sdr"): 5.123,
        ("test_2src_100.csv", "sdr_imp"): -0.5,
        ("test_3src_50.csv", "sdr"): 2.0,
    }
    assert {result.dataset_name for result in data.eval_results} == {"MUSIC mini"}


def test_the_licence_is_the_publishers_choice(make_card):
    card = make_card("mini", license_id="cc-by-nc-4.0")
    assert ModelCard(card).data.license == "cc-by-nc-4.0"
    assert "## Licence\n\n`cc-by-nc-4.0`, the weights included." in card and "`mit`" not in card


def test_text_says_how_it_was_made_how_good_it_is_and_how_to_use_it(make_card):
    card = make_card("mini")
    for expected in (
        "from asteroid_bimodal.models import BiModalUNet\n",
        'model = BiModalUNet.from_pretrained("me/separator")\n'
        'estimates = model.separate("duet.wav", ["violin", "flute"])\n',
        "`asteroid-bimodal separate duet.wav violin flute --model me/separator`",
        'asteroid.models.BaseModel.from_pretrained("me/separator")',
        "    train.py --exp_dir exp/a --lr 1e-3\n",
        "| Parameters | 123,456 |\n",
        "| SDR (dB) | 5.12 | 4.50 to 5.75 |\n| SDR improvement over the mixture (dB) | -0.50 | – |",
        "`test_2src_100.csv`: 100 mixtures",
        "`test_3src_50.csv`: 50 mixtures",
        "could not be read: 3",
        "8000 Hz",
        "frozen encoder `mini`",
        "## Licence\n\n`mit`",
        "keep their own licences",
    ):
        assert expected in card
    assert "/home" not in card and "nan" not in card and "## Example" not in card


@pytest.mark.parametrize(
    "encoder, lines",
    [
        (
            "clip-image:mini",
            ['["violin.jpg", "flute.jpg"])', "--picture violin.jpg --picture flute.jpg"],
        ),
        ("resnet:mini|56", ["by pictures", "--picture violin.jpg"]),
        ("clap-audio:mini", ['["a_violin.wav", "a_flute.wav"])', "--like a_violin.wav"]),
        (
            'labels:bass drum,"cow, mooing",violin',
            ['["bass drum", "cow, mooing"])', "'bass drum' 'cow, mooing'", "and no others: bass"],
        ),
        ("outputs:3", ['["1", "2", "3"])', "into 3 outputs", "separate duet.wav 1 2 3"]),
        ("clap:./query_encoder", ["encoder in `query_encoder/`", '["violin", "flute"])']),
        (None, ['separate("duet.wav", query)', "`QueryEmbedding`"]),
    ],
)
def test_each_kind_of_query_has_its_own_use(make_card, encoder, lines):
    card = make_card(encoder)
    for line in lines:
        assert line in card
    assert ModelCard(card).data.model_name == "separator"


def test_bare_experiment_gives_a_card_that_says_so(make_card):
    card = make_card(conf={}, run={}, results=())
    assert ModelCard(card).data.eval_results is None
    assert "It was not evaluated." in card
    assert "metrics.csv" not in card and "conf.yml" not in card and "unknown" not in card


HOSTILE = (
    "</td><script>alert(1)</script><img src=x onerror=alert(2)> "
    "| [a](https://b.org) ![c](d)\n\n# e\n---\ntags: [f]\n``` ` *g* $h$ www.i.org"
)


def everywhere(value):
    """Puts the hostile text wherever a text is."""
    if isinstance(value, dict):
        return {key: everywhere(inner) for key, inner in value.items()}
    return HOSTILE if isinstance(value, str) else value


def test_words_of_others_stay_words(make_card):
    example = PublishedExample("example/mixture.flac", [(HOSTILE, "example/1.flac")], 2.0)
    labels = EncoderSpec("labels", join_list([HOSTILE.replace("|", "/"), "flute"]))
    hostile = make_card(
        str(labels),
        conf=everywhere(CONF),
        run=everywhere(RUN) | {"versions": {HOSTILE: HOSTILE}, "device": HOSTILE},
        results=[everywhere(METRICS)],
        example=example,
    )
    card = ModelCard(hostile)
    assert card.data.tags == ModelCard(make_card(str(labels))).data.tags
    # Lines of code, and what is between backticks, are shown as they are.
    body = re.sub(r"^( {4}|model |estimates ).*$|`[^`\n]*`", "", card.text, flags=re.MULTILINE)
    assert not re.search(r"<(?!!--)", body)  # no tag
    links = re.findall(r"(?<!\\)\]\((.*?)\)", body)
    assert set(links) == {
        "https://github.com/asteroid-team/asteroid",
        "example/mixture.flac",
        "example/1.flac",
        "",
    }
    assert re.findall(r"^#+ .*$", card.text, re.MULTILINE) == re.findall(
        r"^#+ .*$", make_card(str(labels), example=example), re.MULTILINE
    )
    assert not re.search(r"(?<!\\)(\*g\*|\$h|www\.i)", body)
    rows = [line for line in body.splitlines() if line.startswith("| ") and "script" in line]
    assert len(rows) >= 5 and all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)
    assert len(re.findall("^```", card.text, re.MULTILINE)) == 2


def test_the_card_lists_the_sounds_that_the_model_knows():
    kinds = {"instruments": {"violin": ["fiddle"], "harp": []}, "speech": {"man speaking": []}}
    sizes = {"cond_dim": 6, "pooled_dim": 4, "num_downs": 5, "ngf": 2, "num_heads": 2}
    model = BiModalUNet(8000, 126, 32, None, vocabulary=kinds, **sizes)
    card = " ".join(model_card(model, conf={}, run={}, results=(), repo_id="me/a").split())
    assert "It knows 2 instruments (violin; harp), 1 speech (man speaking); on others" in card
