"""Clips with natural captions: tones whose captions say how many they are."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.data.captioned import CaptionedMixtures, named_sounds, share_out
from asteroid_bimodal.data.crops import SILENT
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.utils.audio_file import UnreadableAudioError

SOUNDS = {"a dog barks": 300, "rain falls": 700, "a bell rings": 1100, "wind blows": 1900}
SOUNDS |= {"a cat meows": 2300, "a phone rings": 2900}
CAPTIONS = [
    ["a dog barks", "rain falls"],
    ["a bell rings"],
    ["wind blows", "a cat meows", "a phone rings"],
    ["a dog barks", "a bell rings"],
    ["rain falls", "wind blows", "a cat meows", "a dog barks"],
]


@pytest.fixture
def manifest(tmp_path):
    """Clips of 2 s whose tones are those of their caption."""
    time, clips = np.arange(16_000) / 8000, []
    for number, phrases in enumerate(CAPTIONS):
        tones = sum(np.sin(2 * np.pi * SOUNDS[phrase] * time) for phrase in phrases)
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * tones, 8000, subtype="FLOAT")
        caption = " while ".join(phrases).capitalize()
        clips.append(Clip(f"{number}.wav", "", caption, 2.0, "train"))
    write_manifest(tmp_path / "train.csv", clips)
    return tmp_path / "train.csv"


def mixtures(manifest, **changes) -> CaptionedMixtures:
    settings = {"sample_rate": 8000, "num_samples": 8000, "epoch_size": 12, "num_phrases": 3}
    return CaptionedMixtures(manifest, **{**settings, **changes})


def heard(wav) -> set[str]:
    spectrum = np.abs(np.fft.rfft(wav.numpy()))
    levels = {phrase: spectrum[hertz] for phrase, hertz in SOUNDS.items()}
    return {phrase for phrase, level in levels.items() if level > 0.05 * max(levels.values())}


def test_phrases_name_what_is_heard(manifest):
    for example in mixtures(manifest):
        for wav, phrases, caption in zip(
            example.mixtures, example.phrases, example.captions, strict=True
        ):
            named = {single for phrase in phrases for single in phrase.split(" and ")}
            assert named == heard(wav) and len(phrases) == 3
            assert all(single in caption.lower() for single in named)


def test_weighted_phrases_count_every_sound_once(manifest):
    for example in mixtures(manifest):
        for phrases, weights in zip(example.phrases, example.phrase_weights, strict=True):
            totals = {}
            for phrase, weight in zip(phrases, weights.tolist(), strict=True):
                totals[phrase] = totals.get(phrase, 0.0) + weight
            assert all(total == pytest.approx(1) for total in totals.values())


def test_mixtures_have_no_sound_in_common(manifest):
    for example in mixtures(manifest, epoch_size=20):
        first, second = map(named_sounds, example.captions)
        assert not first & second


def test_the_same_item_is_always_the_same(manifest):
    first, second = mixtures(manifest)[3], mixtures(manifest)[3]
    assert torch.equal(first.mixtures, second.mixtures) and first.phrases == second.phrases
    other = mixtures(manifest)
    other.epoch = 1
    assert any(
        not torch.equal(a.mixtures, b.mixtures)
        for a, b in zip(mixtures(manifest), other, strict=True)
    )


def test_batches(manifest):
    batch = collate(list(mixtures(manifest, epoch_size=3, num_absent=1)))
    assert batch.mixtures.shape == (3, 2, 8000) and batch.phrase_weights.shape == (3, 2, 3)
    assert all(len(row) == 6 for row in batch.flat_phrases)
    for absent, captions in zip(batch.absent, batch.captions, strict=True):
        present = named_sounds(captions[0]) | named_sounds(captions[1])
        assert len(absent) == 1 and not named_sounds(absent[0]) & present


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_too_many_phrases_leave_one_query_for_the_rest(count):
    phrases, generator = [f"sound {n}" for n in range(5)], torch.Generator().manual_seed(0)
    shared = share_out(phrases, count, generator)
    assert len(shared.phrases) == count and shared.complete
    assert sorted(" and ".join(shared.phrases).split(" and ")) == phrases
    assert shared.weights.tolist() == [1.0] * count


def test_the_same_sound_in_other_words():
    assert named_sounds("Dogs are barking") == named_sounds("the barking of a dog")
    assert named_sounds("A dog barks") != named_sounds("A cat meows")
    assert len(named_sounds("A man speaks as a dog barks in the background")) == 2


def test_unusable_clips_are_reported(manifest):
    (manifest.parent / "0.wav").write_bytes(b"")
    soundfile.write(manifest.parent / "4.wav", np.zeros(16_000), 8000)
    skipped = [s for example in mixtures(manifest, epoch_size=20) for s in example.skipped]
    assert {s.path for s in skipped} == {"0.wav", "4.wav"}
    assert any(s.reason == SILENT for s in skipped)


def test_no_two_usable_clips(manifest):
    for number in range(1, 5):
        (manifest.parent / f"{number}.wav").unlink()
    with pytest.raises(UnreadableAudioError, match="Found 1 usable clips of different sounds"):
        mixtures(manifest)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_phrases": 0}, "received num_phrases 0, n_mix 2 and 5 clips"),
        ({"num_mixtures": 6}, "received num_phrases 3, n_mix 6 and 5 clips"),
        ({"num_mixtures": 0}, "received num_phrases 3, n_mix 0"),
    ],
)
def test_bad_numbers(manifest, changes, message):
    with pytest.raises(ValueError, match=message):
        mixtures(manifest, **changes)


def test_captions_are_needed(manifest):
    write_manifest(manifest, [Clip("0.wav", "dog", "", 2.0, "train")] * 2)
    with pytest.raises(ValueError, match=r"Expected a caption for every clip of .* none for 0.wav"):
        mixtures(manifest)


def test_more_absent_sounds_than_there_are(manifest):
    with pytest.raises(ValueError, match="Expected captions with 9 sounds that are in no mixture"):
        mixtures(manifest, num_absent=9)[0]


def test_a_caption_that_names_no_sound(manifest):
    clips = read_manifest(manifest)
    write_manifest(manifest, [*clips, Clip("x.wav", "", "1234", 2.0, "train")])
    examples = list(mixtures(manifest, num_absent=1))
    assert {skip.path for example in examples for skip in example.skipped} == {"x.wav"}


def test_indices_end(manifest):
    with pytest.raises(IndexError):
        mixtures(manifest)[12]
