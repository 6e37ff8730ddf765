import pytest
import torch

from asteroid_bimodal.queries import LabelEncoder, UnconditionedEncoder
from asteroid_bimodal.queries.labels import join_list, split_list

LABELS = ["accordion", "acoustic guitar", "violin"]


def test_each_class_has_its_place():
    query = LabelEncoder(LABELS)([["violin", "accordion"], ["acoustic guitar", "violin"]])
    expected = torch.eye(3)[torch.tensor([[2, 0], [1, 2]])]
    assert torch.equal(query.pooled, expected)
    assert torch.equal(query.tokens, expected.unsqueeze(2)) and query.mask.all()


@pytest.mark.parametrize(
    "query",
    [
        "acoustic guitar",
        "The sound of acoustic guitar",
        "the sound of Acoustic  Guitar",
        " acoustic guitar ",
        "someone plays the acoustic guitar loudly",
    ],
)
def test_prompts_name_their_label(query):
    templates = ["The sound of {}", "someone plays the {} loudly"]
    assert LabelEncoder(LABELS, templates).label(query) == "acoustic guitar"


def test_a_label_that_looks_like_a_prompt_is_itself():
    encoder = LabelEncoder(["music", "the sound of music"])
    assert encoder.label("The sound of music") == "the sound of music"
    assert encoder.label("the sound of the sound of music") == "the sound of music"


@pytest.mark.parametrize("query", ["vioiln", "The sound of a violin"])
def test_an_unknown_label_is_told_the_nearest(query):
    with pytest.raises(ValueError, match="one of accordion, .*Did you mean 'violin'"):
        LabelEncoder(LABELS)([[query]])


@pytest.mark.parametrize("query", ["zither", "", None, 3])
def test_no_label_at_all(query):
    with pytest.raises(ValueError, match="Expected"):
        LabelEncoder(LABELS)([[query]])


def test_many_labels_are_not_all_listed():
    encoder = LabelEncoder([f"class {n}" for n in range(300)])
    with pytest.raises(ValueError, match="class 29, …; received 'x'"):
        encoder([["x"]])


@pytest.mark.parametrize("labels", [[], "violin", [""], ["violin", "Violin"], ["a|b"], [None]])
def test_bad_labels(labels):
    with pytest.raises(ValueError, match="Expected"):
        LabelEncoder(labels)


@pytest.mark.parametrize("template", ["the sound", "{} and {}", None])
def test_bad_template(template):
    with pytest.raises(ValueError, match="template with one"):
        LabelEncoder(LABELS, [template])


def test_the_fingerprint_knows_labels_and_their_order():
    assert LabelEncoder(LABELS).fingerprint == LabelEncoder(LABELS).fingerprint
    assert LabelEncoder(LABELS).fingerprint != LabelEncoder(LABELS[::-1]).fingerprint


def test_lists_are_read_as_they_were_written():
    texts = ["violin", "bird chirping, tweeting", 'the "x" sound', "a"]
    assert split_list(join_list(texts)) == texts


def test_outputs_are_numbered_from_one():
    encoder = UnconditionedEncoder(3)
    query = encoder([encoder.outputs, ["2", "2", "1"]])
    assert torch.equal(query.pooled[0], torch.eye(3))
    assert query.pooled[1].argmax(-1).tolist() == [1, 1, 0]
    assert query.tokens.shape == (2, 3, 1, 3)


@pytest.mark.parametrize("query", ["0", "4", "violin", "1.0", "01"])
def test_no_such_output(query):
    with pytest.raises(ValueError, match="'1' to '3'"):
        UnconditionedEncoder(3)([[query]])


def test_no_outputs():
    with pytest.raises(ValueError, match="1 to 1000 outputs"):
        UnconditionedEncoder(0)
