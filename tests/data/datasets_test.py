import shutil
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from asteroid_bimodal.data.batches import UnusableClipsError, collate
from asteroid_bimodal.data.crops import SILENT
from asteroid_bimodal.data.datasets import LabelledMixtures, PinnedMixtures
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.queries import mixture_caption

NUM_SAMPLES = 4000
PROMPT, CAPTION = "The sound of {}", "The sound mixture of {}"


def mixtures(tone_set, **changes) -> LabelledMixtures:
    settings = {"sample_rate": 8000, "num_samples": NUM_SAMPLES, "epoch_size": 12}
    return LabelledMixtures(tone_set.root / "train.csv", **{**settings, **changes})


def same(first, second) -> bool:
    words = (first.captions, first.phrases) == (second.captions, second.phrases)
    return words and torch.equal(first.mixtures, second.mixtures)


def train_files(tone_set) -> list[Path]:
    return sorted(tone_set.root.glob("solo/audio/*/train*.wav"))


def heard(wav, tones) -> set[str]:
    """Labels whose tone stands out in a signal."""
    spectrum = np.abs(np.fft.rfft(wav.numpy() * np.hanning(len(wav))))
    levels = {label: spectrum[round(f * len(wav) / 8000)] for label, f in tones.items()}
    return {label for label, level in levels.items() if level > 0.05 * max(levels.values())}


def add_clip(tone_set, label, name, audio=None, content=None):
    """Puts one more clip of a label into the training set."""
    path = tone_set.root / name
    if content is not None:
        path.write_bytes(content)
    elif audio is not None:
        soundfile.write(path, audio, 8000, subtype="FLOAT")
    clips = read_manifest(tone_set.root / "train.csv")
    write_manifest(tone_set.root / "train.csv", [*clips, Clip(name, label, "", 2.0, "train")])


@pytest.mark.parametrize("n_src", [1, 2, 3, 4])
def test_words_name_what_is_heard(tone_set, n_src):
    for example in list(mixtures(tone_set, num_sources=n_src, epoch_size=4)):
        all_labels = []
        for wav, caption, phrases in zip(
            example.mixtures, example.captions, example.phrases, strict=True
        ):
            labels = heard(wav, tone_set.tones)
            assert {PROMPT.format(label) for label in labels} == set(phrases)
            assert len(phrases) == n_src
            orders = permutations(labels)
            captions = {mixture_caption(list(order), CAPTION) for order in orders}
            assert caption in (captions if n_src > 1 else phrases)
            all_labels += labels
        assert len(set(all_labels)) == 2 * n_src
        assert torch.equal(example.phrase_weights, torch.ones(2, n_src))


def test_phrases_draw_from_several_prompts(tone_set):
    prompts = ["The sound of {}", "{}"]
    phrases = {
        phrase
        for example in mixtures(tone_set, prompt=prompts)
        for texts in example.phrases
        for phrase in texts
    }
    assert phrases <= {prompt.format(label) for prompt in prompts for label in tone_set.tones}
    assert {phrase in tone_set.tones for phrase in phrases} == {True, False}


def test_items_depend_on_seed_epoch_and_index_alone(tone_set):
    data, other = mixtures(tone_set), mixtures(tone_set)
    expected = data[7]
    for index in (3, 0, 7, 7):  # in any order, any number of times
        assert same(other[index], data[index])
    other.epoch = 1
    assert not same(other[7], expected)
    other.epoch = 0
    assert same(other[7], expected)
    assert not same(mixtures(tone_set, seed=1)[7], expected)
    assert not same(data[6], expected)


def test_workers_change_nothing(tone_set):
    data = mixtures(tone_set, epoch_size=4)
    batches = [
        list(DataLoader(data, batch_size=2, collate_fn=collate, num_workers=workers))
        for workers in (0, 1)
    ]
    for here, there in zip(*batches, strict=True):
        assert torch.equal(here.mixtures, there.mixtures) and here.phrases == there.phrases


def test_gains_stay_in_their_range(tone_set):
    """A tone of peak 0.5 to 0.6 in a mixture of four, times 0.5 to 1.5."""
    data = mixtures(tone_set, num_sources=1, num_mixtures=2, gain=(0.5, 1.5), epoch_size=30)
    peaks = torch.stack([example.mixtures.abs().amax(-1) for example in data]) * 2
    assert 0.2 < peaks.min() < 0.35 and 0.7 < peaks.max() < 0.95


def test_crops_are_audible(own_tone_set):
    burst = np.zeros(16_000)
    burst[10_000:10_800] = 0.5 * np.sin(np.arange(800))
    for path in own_tone_set.root.glob("solo/audio/violin/train*.wav"):
        soundfile.write(path, burst, 8000)
    data = mixtures(own_tone_set, num_sources=4, epoch_size=10)
    for example in data:
        position = [text for texts in example.phrases for text in texts]
        assert "The sound of violin" in position
        assert not example.skipped
    alone = mixtures(own_tone_set, num_sources=1, num_mixtures=8, epoch_size=5)
    for example in alone:
        assert (example.mixtures.square().mean(-1).sqrt() > 1e-4).all()


@pytest.mark.parametrize(
    ("name", "bad", "reason"),
    [
        ("missing.wav", {}, "does not exist"),
        ("text.wav", {"content": b"no audio " * 99}, "Cannot read"),
        ("empty.wav", {"audio": np.zeros(0)}, "no audio from"),
        ("nan.wav", {"audio": np.full(16_000, np.nan)}, "NaN"),
    ],
)
def test_unusable_clips_are_skipped_and_reported(own_tone_set, name, bad, reason):
    add_clip(own_tone_set, "violin", name, **bad)
    examples = list(mixtures(own_tone_set, num_sources=4, epoch_size=12))
    skipped = [skip for example in examples for skip in example.skipped]
    assert skipped and {skip.path for skip in skipped} == {name}
    assert reason in skipped[0].reason
    for example in examples:
        phrases = {text for texts in example.phrases for text in texts}
        assert len(phrases) == 8 and torch.isfinite(example.mixtures).all()


def test_a_label_without_sound_is_passed_over_and_reported(own_tone_set):
    for path in own_tone_set.root.glob("solo/audio/violin/train*.wav"):
        soundfile.write(path, np.zeros(16_000), 8000)
    examples = list(mixtures(own_tone_set, num_sources=2, epoch_size=8))
    assert not any("violin" in text for example in examples for text in example.captions)
    skipped = [skip for example in examples for skip in example.skipped]
    assert skipped and all(skip.reason == SILENT for skip in skipped)


def test_a_clip_with_pauses_is_not_reported(own_tone_set):
    """A tenth of a second in 16: hardly any crop has it, but the clip is sound."""
    beep = np.zeros(16 * 8000)
    beep[64_000:64_800] = 0.5 * np.sin(np.arange(800))
    add_clip(own_tone_set, "violin", "beep.wav", beep)
    clips = read_manifest(own_tone_set.root / "train.csv")
    write_manifest(own_tone_set.root / "train.csv", [*clips[:-1], replace(clips[-1], seconds=16.0)])
    examples = list(mixtures(own_tone_set, num_sources=4, epoch_size=30))
    assert not any(example.skipped for example in examples)


def test_a_pinned_source_that_has_gone_silent(own_tone_set):
    source = pinned(own_tone_set).items[1].sources[0]
    soundfile.write(own_tone_set.root / source.path, np.full(16_000, 0.25), 8000)
    item = pinned(own_tone_set)[1]
    assert item.mixture is None and "is silent from" in item.skipped[0].reason


@pytest.mark.parametrize("content", [b"no audio", None])
def test_no_usable_audio_at_all(own_tone_set, content):
    for path in train_files(own_tone_set):
        if content:
            path.write_bytes(content)
        else:
            soundfile.write(path, np.zeros(16_000), 8000)
    reason = "no audio file" if content else "solo/.*: Silent"
    found = f"usable audio for 0 labels, expected 4: 16 cannot be used. Last problem: .*{reason}"
    with pytest.raises(UnusableClipsError, match=found) as raised:
        mixtures(own_tone_set, num_sources=2)[0]
    broken = {str(p.relative_to(own_tone_set.root)) for p in train_files(own_tone_set)}
    assert {skip.path for skip in raised.value.skipped} == broken


def test_clips_shorter_than_an_example_are_padded(tone_set):
    example = mixtures(tone_set, num_samples=24_000)[0]
    assert example.mixtures.shape == (2, 24_000)
    assert example.mixtures[:, 16_000:].abs().max() == 0


def test_too_few_labels(tone_set):
    with pytest.raises(ValueError, match="Expected at least 10 labels.*has 8.*Lower --n_src"):
        mixtures(tone_set, num_sources=5)


@pytest.mark.parametrize("changes", [{"num_sources": 0}, {"num_mixtures": 0}])
def test_at_least_one_source(tone_set, changes):
    with pytest.raises(ValueError, match="Expected at least one source"):
        mixtures(tone_set, **changes)


def pinned(tone_set, **changes) -> PinnedMixtures:
    (path,) = (tone_set.root / "lists").glob("test_2src_*.csv")
    return PinnedMixtures(path, tone_set.root, sample_rate=8000, num_samples=8000, **changes)


def test_pinned_mixtures_are_the_sum_of_their_references(tone_set):
    items = pinned(tone_set)
    assert len(items) == 3
    for number, item in enumerate(items[n] for n in range(3)):
        assert item.item == number and not item.skipped
        assert torch.equal(item.references.sum(0), item.mixture)
        assert item.phrases == [PROMPT.format(label) for label in item.labels]
        for label, reference in zip(item.labels, item.references, strict=True):
            assert heard(reference, tone_set.tones) == {label}
        assert torch.equal(item.mixture, pinned(tone_set)[number].mixture)


def test_first_items_only(tone_set):
    assert len(pinned(tone_set, limit=2)) == 2


def test_a_pinned_item_that_cannot_be_read(own_tone_set):
    source = pinned(own_tone_set).items[1].sources[0]
    (own_tone_set.root / source.path).write_bytes(b"")
    item = pinned(own_tone_set)[1]
    assert item.mixture is None and item.references is None
    assert [skip.path for skip in item.skipped] == [source.path]
    assert len(item.phrases) == 2


def test_a_frame_of_each_clip(tone_set):
    for example in list(mixtures(tone_set, frames=True, epoch_size=4)):
        for labels, frames in zip(example.labels, example.frames, strict=True):
            for label, frame in zip(labels, frames, strict=True):
                assert Path(frame).parent.name.endswith("_" + label.replace(" ", "_"))
                assert Path(frame).is_file()


def test_frames_leave_what_is_heard_as_it_is_for_the_first_label(tone_set):
    without, with_frames = (mixtures(tone_set, frames=frames)[0] for frames in (False, True))
    assert without.frames == [] and len(with_frames.frames) == 2
    assert without.labels[0][0] == with_frames.labels[0][0]


def test_the_frame_is_from_within_the_crop(tone_set):
    """A clip of 2 s has two frames; a crop of its last fifth shows the second."""
    data = mixtures(tone_set, frames=True, num_samples=3200, epoch_size=40)
    seen = Counter(Path(path).name for item in list(data) for row in item.frames for path in row)
    assert set(seen) == {"000.png", "001.png"} and min(seen.values()) > 40


def test_a_data_set_without_frames_is_refused_at_once(own_tone_set):
    shutil.rmtree(own_tone_set.root / "solo/frames")
    assert mixtures(own_tone_set)[0].frames == []
    with pytest.raises(ValueError, match="no frames of .*Render or extract them"):
        mixtures(own_tone_set, frames=True)


def test_pinned_mixtures_come_with_frames(tone_set):
    (path,) = (tone_set.root / "lists").glob("test_2src_*.csv")
    settings = {"sample_rate": 8000, "num_samples": 8000}
    item = PinnedMixtures(path, tone_set.root, frames=True, **settings)[0]
    assert [Path(frame).parent.name for frame in item.frames] == [
        f"test0_{label.replace(' ', '_')}" for label in item.labels
    ]
    assert PinnedMixtures(path, tone_set.root, **settings)[0].frames == []


def test_an_epoch_goes_on_in_its_middle(tone_set):
    data = mixtures(tone_set)
    expected = list(data)
    data.start = 5
    assert all(map(same, data, expected[5:] + expected[:5]))
