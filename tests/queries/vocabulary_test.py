"""Vocabularies: what is read, and what is refused."""

import pytest

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
