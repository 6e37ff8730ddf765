"""Vocabularies: what is read, what is refused, and which texts name what is in them."""

import pytest
import torch
from tiny_model import build_tiny

from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import UnknownSoundWarning
from asteroid_bimodal.queries.content import stem
from asteroid_bimodal.queries.vocabulary import Vocabulary, read_vocabulary


def test_a_vocabulary_is_read_from_yaml(tmp_path):
    path = tmp_path / "words.yml"
    path.write_text("instruments: {violin: [fiddle], flute: []}\nevents: {dog barking: [dog]}\n")
    vocabulary = read_vocabulary(path)
    assert vocabulary.labels == ["violin", "flute", "dog barking"]
    assert vocabulary.words("dog barking") == ["dog barking", "dog"]
    assert vocabulary.words("piano") == ["piano"] and vocabulary.kind("piano") is None


@pytest.mark.parametrize("text", ["a: [b]\n", "a: {b: c}\n", "a: 1\n", "- a\n", "{}\n"])
def test_what_is_no_vocabulary_is_refused(tmp_path, text):
    path = tmp_path / "words.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match="vocabulary"):
        read_vocabulary(path)


def test_a_word_of_two_labels_is_refused():
    with pytest.raises(ValueError, match="'fiddle'"):
        Vocabulary({"instruments": {"violin": ["fiddle"], "erhu": ["fiddle"]}})


WORDS = Vocabulary(
    {
        "instruments": {
            "acoustic guitar": ["guitar"],
            "drum kit": ["drums"],
            "saxophone": ["sax"],
            "violin": ["fiddle"],
        },
        "events": {
            "bee, wasp, etc. buzzing": [],
            "birds chirping": ["birds"],
            "dog barking": ["dog"],
            "footsteps on snow": [],
            "people clapping": [],
            "wind noise": [],
        },
        "speech": {"man speaking": ["a man talks"], "woman speaking": []},
    }
)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("violin", "violin"),
        ("Violins!", "violin"),
        ("The sound of violin", "violin"),
        ("someone plays the violin", "violin"),
        ("a man plays an old fiddle loudly", "violin"),
        ("sax", "saxophone"),
        ("drumming", "drum kit"),
        ("dogs", "dog barking"),
        ("the dog's bark", "dog barking"),
        ("a dog is barking", "dog barking"),
        ("dogs barked in the yard", "dog barking"),
        ("the barking of a large dog", "dog barking"),
        ("a bird chirps", "birds chirping"),
        ("bee", "bee, wasp, etc. buzzing"),
        ("footsteps", "footsteps on snow"),
        ("applause, someone claps", ""),
        ("clapping", "people clapping"),
        ("wind", "wind noise"),
        ("man talking", "man speaking"),
        ("a woman speaks", "woman speaking"),
        ("a man and a woman speaking", "man speaking, woman speaking"),
        ("violin and dogs", "violin, dog barking"),
        ("electric guitar", ""),
        ("a dog growls", "dog barking"),
        ("wind howling", "wind noise"),
        ("growling", ""),
        ("a dog and a cat", ""),
        ("child speaking", ""),
        ("banana", ""),
        ("noise", ""),
        ("the sound of", ""),
        ("小提琴", ""),
        ("🎻", ""),
    ],
)
def test_what_counts_as_known(text, labels):
    known = "" if WORDS.unknown(text) else ", ".join(WORDS.find(text))
    assert known == labels


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("an old violin", "violin"),
        ("VIOLINS", "violin"),
        ("someone plays loud fiddles on the street", "fiddle"),
        ("a man plays an old fiddle loudly", "fiddle"),
        ("a dog barks in the rain", "dog barking"),
        ("a large dog", "dog"),
        ("old drums", "drums"),
        ("footsteps", "footsteps on snow"),
        ("some bees", "bee, wasp, etc. buzzing"),
        ("a loud acoustic guitar", "acoustic guitar"),
        ("an old guitar", "guitar"),
    ],
)
def test_a_known_sound_in_another_form_has_its_word(text, word):
    assert WORDS.wording(text) == word


def test_who_plays_is_no_sound():
    words = Vocabulary({"instruments": {"violin": []}, "speech": {"man speaking": ["a man"]}})
    assert words.wording("a man plays an old violin") == "violin"
    assert words.wording("an old man") == "a man"


@pytest.mark.parametrize(
    "text",
    ["violin", "fiddle", "The sound of violin", "violin and dogs", "electric guitar", "banana"]
    + ["a dog and a cat", "growling", "...", "", "🎻"],
)
def test_words_and_what_names_more_or_something_else_stay(text):
    assert WORDS.wording(text) == text


def test_a_model_is_asked_by_the_word():
    model = build_tiny(vocabulary={"instruments": {"violin": ["fiddle"]}})
    old, plain = (model.encode_queries([text], 1) for text in ("an old violin", "violin"))
    torch.testing.assert_close(old.pooled, plain.pooled)
    with pytest.warns(UnknownSoundWarning, match="'an old banjo'"):
        model.encode_queries(["an old banjo"], 1)
    free = build_tiny()
    assert free.vocabulary is None
    assert not free.encode_queries(["old violin"], 1).pooled.equal(plain.pooled)


@pytest.mark.parametrize(
    ("one", "others"),
    [
        ("fly", "flies flying"),
        ("baby", "babies"),
        ("cry", "cries crying"),
        ("wave", "waves waving waved"),
        ("drum", "drums drumming drummed"),
        ("bell", "bells"),
        ("glass", "glasses"),
        ("sneeze", "sneezes sneezing"),
        ("ring", "rings ringing"),
        ("string", "strings"),
        ("bee", "bees"),
        ("oboe", "oboes"),
        ("woman", "women"),
    ],
)
def test_forms_of_a_word_have_one_stem(one, others):
    assert {stem(word) for word in others.split()} == {stem(one)}


def test_different_words_have_different_stems():
    words = (
        "bee bell bass bus cat car crow cry dog drum fire fly horn horse man owl rain ring sea saw"
    )
    assert len({stem(word) for word in words.split()}) == len(words.split())


def test_the_nearest_share_words_or_letters():
    assert WORDS.nearest("child speaking") == ["man speaking", "woman speaking"]
    assert WORDS.nearest("electric guitar") == ["acoustic guitar"]
    assert WORDS.nearest("saxofone") == ["saxophone"]
    assert WORDS.nearest("banana") == WORDS.nearest("小提琴") == WORDS.nearest("🎻") == []


@pytest.mark.parametrize("name", ["mini", "mini-events"])
def test_shipped_models_know_their_own_words(name):
    vocabulary = load_separator(name).vocabulary
    for label in vocabulary.labels:
        for word in vocabulary.words(label):
            for text in (word, f"The sound of {word}"):
                assert label in vocabulary.find(text) and not vocabulary.unknown(text)
