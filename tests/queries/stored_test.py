"""Texts that are stored beside a CLAP are answered without it, as it would answer them."""

from __future__ import annotations

import runpy
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from asteroid_bimodal.queries import ClapTextEncoder, EncoderSpec, load_query_encoder, phrase_prompt
from asteroid_bimodal.queries.stored import STORED, KnownLabels, shared_texts
from asteroid_bimodal.scorers import ClapScorer
from asteroid_bimodal.utils.clap import MINI, known_labels, load_clap

TEXTS = ["violin", "The sound of flute"]


@pytest.fixture
def folder(tmp_path):
    """A copy of the mini CLAP."""
    return shutil.copytree(MINI, tmp_path / "clap")


@pytest.fixture
def no_clap(monkeypatch):
    """From here on, no CLAP can be loaded."""

    def start():
        monkeypatch.setattr("asteroid_bimodal.queries.text.load_clap", None)

    return start


@pytest.mark.parametrize("name", ["mini", "mini-events"])
def test_the_shipped_ones_are_the_labels_and_their_prompts(name):
    labels = known_labels(load_clap(name))
    encoder = ClapTextEncoder(name)
    assert set(encoder._stored) == {*labels, *map(phrase_prompt, labels)}
    for text, found in zip(encoder._stored, encoder.encode(list(encoder._stored)), strict=True):
        # To the last bit on the processor that wrote them; others may round differently.
        for part, expected in zip(encoder._stored[text], found, strict=True):
            torch.testing.assert_close(part, expected, atol=1e-5, rtol=1e-5)


def test_stored_texts_need_no_network(folder, no_clap):
    no_clap()
    encoder = ClapTextEncoder(folder)
    expected = ClapTextEncoder("mini")([TEXTS])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        query = encoder.to("cpu").ask([TEXTS])
    assert torch.equal(query.tokens, expected.tokens) and torch.equal(query.pooled, expected.pooled)
    assert (encoder.token_dim, encoder.pooled_dim) == (128, 128)
    with pytest.raises(TypeError):
        encoder([["violin", "a violin"]])


def test_other_texts_load_it(folder):
    encoder = ClapTextEncoder(folder)
    query = encoder([["violin", "a violin"]])
    expected = encoder.encode(["a violin"])[0]
    assert torch.equal(query.pooled[0, 1], expected.pooled)
    with pytest.warns(UserWarning, match="knows no word"):
        encoder.ask([["qwxzv"]])


@pytest.mark.parametrize("spec", ["mini", "clap-audio:mini"])
def test_a_copy_has_them_to_the_last_bit(spec, tmp_path, no_clap):
    copy = load_query_encoder(spec).save_pretrained(tmp_path)
    expected = ClapTextEncoder("mini").encode(TEXTS)
    assert (tmp_path / "query_encoder" / STORED).is_file()
    no_clap()
    encoder = ClapTextEncoder(copy.located(tmp_path).name)
    for text, item in zip(TEXTS, expected, strict=True):
        assert all(map(torch.equal, encoder._stored[text], item))


def test_with_other_weights_they_are_not_used(folder):
    weights = load_file(folder / "model.safetensors")
    name = "text_projection.linear2.weight"
    save_file({**weights, name: -weights[name]}, folder / "model.safetensors", {"format": "pt"})
    with pytest.warns(UserWarning, match="embeddings are another encoder's"):
        encoder = ClapTextEncoder(folder)
    difference = encoder([["violin"]]).pooled - ClapTextEncoder("mini")([["violin"]]).pooled
    assert difference.abs().max() > 0.01


@pytest.mark.parametrize("content", [b"", b"broken", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_broken_file_costs_time_alone(content, folder):
    (folder / STORED).write_bytes(content)
    with pytest.warns(UserWarning, match="Ignoring"):
        encoder = ClapTextEncoder(folder)
    torch.testing.assert_close(encoder([TEXTS]).pooled, ClapTextEncoder("mini")([TEXTS]).pooled)


def test_texts_that_would_be_warned_about_are_not_stored(folder):
    (folder / STORED).unlink()
    KnownLabels(ClapTextEncoder(folder), ["violin", "qwxzv", "440"]).save_pretrained(folder)
    shared_texts.cache_clear()
    encoder = ClapTextEncoder(folder)
    assert list(encoder._stored) == ["violin", "The sound of violin"]
    with pytest.warns(UserWarning, match="knows no word"):
        encoder.ask([["qwxzv"]])


def test_of_no_label_nothing_is_stored(folder):
    (folder / STORED).unlink()
    KnownLabels(ClapTextEncoder(folder), []).save_pretrained(folder)
    assert not (folder / STORED).exists()


def test_other_settings_do_without(folder):
    for options in ({"padding": "max_length"}, {"context_length": 3}):
        assert not ClapTextEncoder(folder, **options)._stored
    assert ClapTextEncoder(folder, context_length=3)([["The sound of violin"]]).mask.sum() == 3


def test_scorer_and_encoder_encode_a_text_once_between_them(folder, monkeypatch):
    from asteroid_bimodal.queries import text as module

    asked, encode = [], module.encode_texts

    def counted(clap, texts, **options):
        asked.extend(texts)
        return encode(clap, texts, **options)

    monkeypatch.setattr(module, "encode_texts", counted)
    encoder, scorer = ClapTextEncoder(folder), ClapScorer(folder)
    rows = scorer.embed_text(["a violin", "violin", "a tuba"])
    query = encoder([["a tuba", "a cello", "a violin"]])
    again = EncoderSpec("clap", str(folder)).load()([["a cello"]])
    assert sorted(asked) == ["a cello", "a tuba", "a violin"]
    assert torch.equal(rows[[2, 0]], query.pooled[0, [0, 2]])
    assert torch.equal(again.pooled[0, 0], query.pooled[0, 1])


def test_the_recipe_of_the_mini_clap_stores_them(tmp_path, no_clap):
    script = runpy.run_path(str(Path(__file__).parents[2] / "egs/mini_clap/local/export.py"))
    model = tmp_path / "model"
    shutil.copytree(MINI, model, ignore=shutil.ignore_patterns(STORED))
    script["export"](model, tmp_path / "package")
    no_clap()
    exported = ClapTextEncoder(tmp_path / "package")
    assert list(exported._stored) == list(ClapTextEncoder("mini")._stored)
