"""Words that a text encoder cannot read are refused or told, not answered by chance in silence."""

from __future__ import annotations

import warnings

import pytest
import torch
from transformers import BertTokenizerFast

from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import (
    AudioExample,
    ClapTextEncoder,
    ClipTextEncoder,
    Query,
    UnknownSoundWarning,
    Vocabulary,
    encode_queries,
)
from asteroid_bimodal.queries.words import unread_words

UNREADABLE = ["小提琴", "大鼓", "qwxzv", "The sound of qwxzv", "a2 🎻", "скрипка"]
NO_LETTER = ["...", "🎻", "440", "- 7 -"]
READABLE = ["violin", "Violin!", "the sound of a flute", "a man plays violins", "I", "flûte"]


@pytest.fixture(scope="module", params=[ClapTextEncoder, ClipTextEncoder])
def encoder(request):
    return request.param("mini")


def told(encoder, text):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        encoder.ask([[text]])
    return [str(warning.message) for warning in found]


@pytest.mark.parametrize("text", UNREADABLE)
def test_texts_without_a_known_word_are_told(encoder, text):
    (message,) = told(encoder, text)
    assert "knows no word of" in message and "The sound of" not in message


@pytest.mark.parametrize("text", NO_LETTER)
def test_texts_without_a_letter_are_refused(encoder, text):
    with pytest.raises(ValueError, match="no letter. Name a sound, such as 'violin'"):
        encoder.ask([[text]])
    assert len(told(encoder, f"The sound of {text}")) == 1  # a label of a data set, perhaps


@pytest.mark.parametrize("text", READABLE)
def test_texts_of_known_words_are_not(encoder, text):
    assert not told(encoder, text)


def test_an_unknown_word_among_others_is_named(encoder):
    (message,) = told(encoder, "a violin of qwxzv")
    assert message == "The text encoder does not know 'qwxzv' of 'a violin of qwxzv'."


def test_training_and_data_sets_say_nothing(encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder([["小提琴", "440"]])


def test_word_pieces_and_what_is_unknown_to_them(tmp_path):
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "violin", "dog", "##s", "q", "##x", "小"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(str(tmp_path / "vocab.txt"))
    assert unread_words("violin dogs 小 琴 qx z", tokenizer) == ["琴", "qx", "z"]
    assert unread_words("nothing is told", object()) == []  # of a tokenizer without places


@pytest.mark.parametrize("vocabulary", [None, {}, {"instruments": {"violin": []}}])
def test_every_way_to_ask_says_so(vocabulary):
    model = BiModalUNet.from_pretrained("mini", vocabulary=vocabulary)
    wav, text = torch.randn(1, 8000) / 10, "qwxzv"
    message = "does not know 'qwxzv'" if vocabulary else "knows no word of 'qwxzv'"
    for ask in (
        lambda: encode_queries(model, [text]),
        lambda: encode_queries(model, [Query.blend("both", [("violin", 1.0), (text, 1.0)])]),
        lambda: encode_queries(model, [], without=[text]),
        lambda: model(wav, [text]),
        lambda: model.separate(wav[0].numpy(), [text], sample_rate=8000),
        lambda: model.separate(wav, [[text]], sample_rate=8000),
    ):
        with pytest.warns(UnknownSoundWarning, match=message):
            ask()


def warning_of(vocabulary, text):
    with pytest.warns(UnknownSoundWarning) as found:
        ClapTextEncoder("mini").ask([[text]], vocabulary)
    (warning,) = (warning.message for warning in found)
    return warning


def test_a_warning_names_the_nearest_sounds():
    few = Vocabulary({"all": {"dog barking": ["dog"], "violin": ["fiddle"], "tuba": []}})
    many = Vocabulary({"all": {f"sound {letter}{letter}": [] for letter in "abcdefghijklm"}})
    warning = warning_of(few, "The sound of vioiln")
    assert (warning.query, warning.nearest) == ("The sound of vioiln", ["violin"])
    assert str(warning).endswith("The nearest of the sounds that it knows: 'violin'.")
    assert str(warning_of(few, "小提琴")).endswith("It knows 'dog barking', 'violin', 'tuba'.")
    assert "`asteroid-bimodal models` lists the 13 sounds" in str(warning_of(many, "piano"))
    assert str(warning_of(few, "a dog and a cat")) == (
        "This model does not know 'cat' of 'a dog and a cat'; what it knows of it is 'dog barking'."
    )


def test_blends_examples_and_known_words_are_not_told():
    model = BiModalUNet.from_pretrained("mini")
    sound = AudioExample(torch.randn(8000, generator=torch.Generator().manual_seed(0)), 8000)
    asked = [Query.blend("qwxzv", [("violins", 1.0), ("a flute plays", 1.0)])]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownSoundWarning)
        encode_queries(model, [*asked, Query.like(sound, "qwxzv"), "someone plays the tuba"])


def test_what_has_no_letter_is_refused_for_a_model():
    model = BiModalUNet.from_pretrained("mini")
    with pytest.raises(ValueError, match="which has no letter"):
        encode_queries(model, ["🎻"])
