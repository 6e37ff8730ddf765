"""Queries of all modalities, and their embeddings."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile
import torch
from ffmpeg_program import ffmpeg
from PIL import Image

from asteroid_bimodal.models import BiModalUNet, CLIPSep
from asteroid_bimodal.queries import (
    AudioExample,
    ClapAudioEncoder,
    ClapTextEncoder,
    ClipImageEncoder,
    ClipTextEncoder,
    EncoderSpec,
    LabelEncoder,
    Query,
    encode_queries,
    mean_query,
)


@pytest.fixture(scope="module")
def noise():
    def make(length=4000, channels=1):
        return 0.1 * np.random.default_rng(length).standard_normal((length, channels), np.float32)

    return make


@pytest.fixture(scope="module")
def write():
    def write_audio(path, audio, rate=8000):
        soundfile.write(path, audio, rate, subtype="FLOAT")
        return path

    return write_audio


@pytest.fixture(scope="module")
def clap_model():
    encoder = ClapTextEncoder("mini")
    sizes = {"cond_dim": encoder.token_dim, "pooled_dim": encoder.pooled_dim, "num_heads": 2}
    return BiModalUNet(8000, 126, 32, "mini", num_downs=5, ngf=2, out_dim=4, **sizes).eval()


def clip_model(encoder):
    sizes = {"pooled_dim": encoder.pooled_dim, "num_downs": 5, "ngf": 2}
    return CLIPSep(8000, 126, 32, encoder, **sizes).eval()


def assert_equal(one, other):
    for part in ("tokens", "mask", "pooled"):
        torch.testing.assert_close(getattr(one, part), getattr(other, part))


def test_texts_are_what_the_model_makes_of_them(clap_model):
    texts = ["violin", "the sound of an acoustic guitar"]
    assert_equal(encode_queries(clap_model, texts), clap_model.encode_queries(texts, 1))


def test_what_is_left_out_comes_last(clap_model):
    query = encode_queries(clap_model, ["violin"], ["tuba", "flute"])
    assert_equal(query, clap_model.encode_queries(["violin", "tuba", "flute"], 1))


@pytest.mark.parametrize("rate, channels", [(8000, 1), (44100, 2), (192000, 1)])
def test_sounds_are_what_clap_hears(clap_model, tmp_path, write, noise, rate, channels):
    path = write(tmp_path / "violin.wav", noise(rate // 2, channels), rate)
    expected = ClapAudioEncoder("mini")([[path]])
    assert_equal(encode_queries(clap_model, [Query.like(path)]), expected)
    wav = AudioExample(torch.from_numpy(noise(rate // 2, channels).T), rate)
    assert_equal(encode_queries(clap_model, [Query.like(wav)]), expected)


def test_sounds_of_other_formats_are_read_by_ffmpeg(clap_model, tmp_path, write):
    time = np.arange(90 * 8000) / 8000
    path = write(tmp_path / "long.wav", 0.3 * np.sin(2 * np.pi * 700 * time))
    other = tmp_path / "long.m4a"
    command = [ffmpeg(), "-v", "error", "-i", str(path), str(other)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    heard, expected = (
        encode_queries(clap_model, [Query.like(file)]).pooled for file in (other, path)
    )
    assert torch.cosine_similarity(heard, expected, dim=-1).item() > 0.95


def test_blend_is_a_weighted_mean(clap_model, tmp_path, write, noise):
    path = write(tmp_path / "violin.wav", noise())
    blend = Query.blend("bowed", [("cello", 0.7), (Query.like(path), 0.3)])
    parts = [encode_queries(clap_model, [query]) for query in ("cello", Query.like(path))]
    query = encode_queries(clap_model, ["flute", blend])
    assert query.num_queries == 2
    torch.testing.assert_close(query.pooled[:, 1:], mean_query(parts, [0.7, 0.3]).pooled)


def test_blends_of_blends_multiply_weights():
    inner = Query.blend("inner", [("a", 0.5), ("b", 2.0)])
    outer = Query.blend("outer", [(inner, 0.5), ("c", 1.0)])
    assert [part.weight for part in outer.parts] == [0.25, 1.0, 1.0]


@pytest.mark.parametrize("weights", [[0.0], [-1.0, 2.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_weights_that_mean_nothing_are_refused(clap_model, weights):
    blend = Query.blend("odd", [(f"sound {i}", weight) for i, weight in enumerate(weights)])
    with pytest.raises(ValueError, match="weights, none negative and not all 0"):
        encode_queries(clap_model, [blend])


def test_blend_of_nothing_is_refused():
    with pytest.raises(ValueError, match="Expected parts of 'bowed'"):
        Query.blend("bowed", [])


@pytest.mark.parametrize("own", [ClipImageEncoder, ClipTextEncoder])
def test_clip_models_take_pictures_and_texts_together(own):
    model = clip_model(own("mini"))
    picture = Image.new("RGB", (40, 30), (200, 30, 0))
    query = encode_queries(model, ["violin", Query.picture(picture, "red")])
    assert model(torch.randn(2000), query).shape == (2, 2000)
    torch.testing.assert_close(query.pooled[:, :1], ClipTextEncoder("mini")([["violin"]]).pooled)
    torch.testing.assert_close(query.pooled[:, 1:], ClipImageEncoder("mini")([[picture]]).pooled)


def test_kinds_that_a_model_was_not_trained_for_are_refused(clap_model, tmp_path, write, noise):
    path = write(tmp_path / "violin.wav", noise())
    labels = clip_model(LabelEncoder(["violin", "flute"]))
    official = BiModalUNet(
        8000, 126, 32, "mini", mask_padding=False, num_downs=5, ngf=2, out_dim=4, num_heads=2,
        **{key: clap_model.masker.get_config()[key] for key in ("cond_dim", "pooled_dim")},
    )  # fmt: skip
    for model, query, message in [
        (clap_model, Query.picture("photo.png"), "Expected texts .* one of pictures, 'photo.png'"),
        (
            labels,
            Query.like(path),
            "Expected texts .* audio examples.* encoder is a CLAP",
        ),
        (clip_model(ClipImageEncoder("mini")), Query.like(path), "Expected pictures for this"),
        (official, Query.like(path), "Expected texts for this model"),
        (labels, "tuba", "Expected a class that the model was trained for"),
    ]:
        with pytest.raises(ValueError, match=message):
            encode_queries(model, [query])


def test_sounds_and_pictures_that_are_not_there_are_refused(clap_model, tmp_path):
    with pytest.raises(ValueError, match="none.wav does not exist"):
        encode_queries(clap_model, [Query.like(tmp_path / "none.wav")])
    with pytest.raises(ValueError, match="Expected the path of an image"):
        encode_queries(clip_model(ClipImageEncoder("mini")), [Query.picture(tmp_path / "none.png")])
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(ValueError, match="Cannot read .*text.wav: it is no audio"):
        encode_queries(clap_model, [Query.like(tmp_path / "text.wav")])


def test_one_encoder_serves_all_queries_of_a_modality(monkeypatch):
    built = []
    load = EncoderSpec.load
    monkeypatch.setattr(EncoderSpec, "load", lambda spec: built.append(str(spec)) or load(spec))
    sounds = [
        AudioExample(torch.randn(8000, generator=torch.Generator().manual_seed(n)), 8000)
        for n in range(2)
    ]
    queries = [Query.like(sound, f"sound {n}") for n, sound in enumerate(sounds)]
    encode_queries(BiModalUNet.from_pretrained("mini"), ["violin", *queries])
    assert built == ["mini", "clap-audio:mini"]
