import numpy as np
import pytest
import soundfile
import torch
from miniatures.music import LABELS

from asteroid_bimodal.queries import AudioExample, ClapAudioEncoder, ClapTextEncoder
from asteroid_bimodal.queries.audio import COMMON_LABELS
from asteroid_bimodal.scorers import ClapScorer
from asteroid_bimodal.utils.clap import load_clap

FOUR = ["violin", "flute", "tuba", "xylophone"]


@pytest.fixture(scope="module")
def encoder():
    return ClapAudioEncoder("mini", FOUR)


def noise(length=16_000, seed=0):
    return 0.1 * torch.randn(length, generator=torch.Generator().manual_seed(seed))


def test_the_default_labels_are_those_that_the_mini_knows():
    assert ClapAudioEncoder("mini").labels == tuple(LABELS)
    assert len(set(COMMON_LABELS)) == len(COMMON_LABELS)


def test_a_copy_knows_the_same_labels(tmp_path):
    clap = load_clap("mini")
    for part in (clap.model, clap.tokenizer, clap.feature_extractor):
        part.save_pretrained(tmp_path)
    assert ClapAudioEncoder(tmp_path).labels == tuple(LABELS)


@pytest.mark.parametrize("length", [3000, 16_000, 32_000, 50_000])
def test_embeddings_are_the_scorers(encoder, length):
    wav = noise(length)
    expected = ClapScorer("mini").embed_audio(wav[None], 8000)
    received = encoder.embed([AudioExample(wav, 8000)])
    torch.testing.assert_close(received, expected, atol=1e-4, rtol=0)


def test_probabilities_are_those_of_clap(encoder):
    scorer, example = ClapScorer("mini"), AudioExample(noise(), 8000)
    texts = scorer.embed_text([f"The sound of {label}" for label in FOUR])
    audio = scorer.embed_audio(example.wav[None], 8000)
    expected = torch.softmax(scorer.logit_scale * audio @ texts.T, dim=-1)
    torch.testing.assert_close(encoder.probabilities([example]), expected, atol=1e-3, rtol=0)


def test_the_query_speaks_the_texts_language(encoder):
    example = AudioExample(noise(), 8000)
    query, chances = encoder([[example]]), encoder.probabilities([example])[0]
    texts = ClapTextEncoder("mini")([[f"The sound of {label}" for label in FOUR]])
    best = int(chances.argmax())
    assert torch.equal(query.tokens[0, 0], texts.tokens[0, best][texts.mask[0, best]])
    mean = sum(chance * row for chance, row in zip(chances, texts.pooled[0], strict=True))
    torch.testing.assert_close(query.pooled[0, 0], mean / mean.norm())


def test_with_one_label_an_example_is_that_label():
    encoder = ClapAudioEncoder("mini", ["violin"])
    query, text = encoder([[AudioExample(noise(), 8000)]]), ClapTextEncoder("mini")
    expected = text([["The sound of violin"]])
    torch.testing.assert_close(query.pooled, expected.pooled)
    assert torch.equal(query.tokens, expected.tokens) and torch.equal(query.mask, expected.mask)
    assert (encoder.token_dim, encoder.pooled_dim) == (text.token_dim, text.pooled_dim)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 2)])
def test_a_file_is_its_samples(encoder, tmp_path, rate, channels):
    wav = torch.stack([noise(3 * rate, seed) for seed in range(channels)])
    soundfile.write(tmp_path / "a.wav", wav.T.numpy(), rate, subtype="FLOAT")
    expected = encoder.embed([AudioExample(wav, rate)])
    torch.testing.assert_close(encoder.embed([tmp_path / "a.wav"]), expected)


def test_of_a_long_file_the_middle_is_heard(encoder, tmp_path):
    wav = torch.cat([noise(64_000), 0.5 * torch.sin(torch.arange(32_000) * 0.3), noise(64_000)])
    soundfile.write(tmp_path / "a.wav", wav.numpy(), 8000, subtype="FLOAT")
    middle = AudioExample(wav[64_000:96_000], 8000)
    torch.testing.assert_close(
        encoder.embed([tmp_path / "a.wav"]), encoder.embed([middle]), atol=1e-3, rtol=0
    )


def test_equal_examples_are_encoded_once(monkeypatch):
    encoder = ClapAudioEncoder("mini", FOUR)
    with torch.inference_mode():
        first = encoder([[AudioExample(noise(), 8000), AudioExample(noise(), 8000)]])
    assert len(encoder.cache) == 1
    monkeypatch.setattr(encoder, "encode", None)
    again = encoder([[AudioExample(noise(), 8000)]])
    assert torch.equal(again.pooled[0, 0], first.pooled[0, 1])
    scale = torch.ones(1, requires_grad=True)
    (again.pooled * scale).sum().backward()


def test_examples_differ_by_samples_and_rate():
    examples = {
        AudioExample(noise(), 8000),
        AudioExample(noise(), 8000),
        AudioExample(noise(), 16_000),
        AudioExample(noise(seed=1), 8000),
        AudioExample(noise().reshape(2, -1), 8000),
    }
    assert len(examples) == 4


def test_it_is_frozen_and_knows_its_labels(encoder):
    encoder.train()
    assert not encoder.network.training
    assert list(encoder.parameters()) == [] and len(encoder.state_dict()) == 0
    assert encoder.fingerprint == ClapAudioEncoder("mini", FOUR).fingerprint
    assert encoder.fingerprint != ClapAudioEncoder("mini", FOUR[:3]).fingerprint


@pytest.mark.parametrize(
    "wav",
    [
        torch.zeros(0),
        torch.zeros(1, 1, 9),
        torch.zeros(9, dtype=torch.int16),
        torch.full((9,), torch.nan),
        np.zeros(9),
        None,
    ],
)
def test_bad_samples(wav):
    with pytest.raises(ValueError, match="Expected "):
        AudioExample(wav, 8000)


def test_bad_rate():
    with pytest.raises(ValueError, match="positive rate"):
        AudioExample(torch.zeros(9), 0)


@pytest.mark.parametrize("query", ["violin", "", None, torch.zeros(9)])
def test_what_is_no_audio(encoder, query):
    with pytest.raises(ValueError, match="path of an audio file or an AudioExample"):
        encoder([[query]])


@pytest.mark.parametrize("content", [b"", b"RIFF not really"])
def test_a_broken_file(encoder, tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match="Cannot read .*a.wav: "):
        encoder([[tmp_path / "a.wav"]])


def test_an_empty_file_of_the_right_kind(encoder, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    with pytest.raises(ValueError, match="a.wav has no audio"):
        encoder([[tmp_path / "a.wav"]])


@pytest.mark.parametrize("labels", [[], "violin", [""]])
def test_bad_labels(labels):
    with pytest.raises(ValueError, match="Expected"):
        ClapAudioEncoder("mini", labels)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("length", "level", "reason"),
    [
        (16_000, 0.0, "is silent, below -80 dB"),
        (16_000, 5e-5, "is silent, below -80 dB"),
        (5, 0.1, "is too short: 0.6 ms; give at least 100 ms"),
        (799, 0.1, "is too short: 99.9 ms; give at least 100 ms"),
    ],
)
def test_an_example_with_nothing_to_hear(encoder, tmp_path, channels, length, level, reason):
    wav = level * torch.ones(channels, length) * (-1) ** torch.arange(length)
    soundfile.write(tmp_path / "a.wav", wav.T.numpy(), 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match=f"a.wav {reason}"):
        encoder([[tmp_path / "a.wav"]])
    with pytest.raises(ValueError, match=f"The example {reason}"):
        encoder([[AudioExample(wav, 8000)]])


def test_an_example_in_opposite_phase_is_one_of_its_channels(encoder):
    wav = noise()
    opposite = AudioExample(torch.stack([wav, -wav]), 8000)
    torch.testing.assert_close(encoder.embed([opposite]), encoder.embed([AudioExample(wav, 8000)]))
    assert len(encoder.embed([AudioExample(1e-3 * wav, 8000)])) == 1  # quiet, but no silence
