"""The silence threshold, -45 dB: crops just below it are drawn again, crops just above are used."""

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.data.captioned import CaptionedMixtures
from asteroid_bimodal.data.crops import (
    SILENT,
    crop_start,
    draw_in_turn,
    is_audible,
    read_audible,
)
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.manifest import Clip, write_manifest
from asteroid_bimodal.data.pinned import draw_test_list
from asteroid_bimodal.data.sharded import ShardedMixtures
from asteroid_bimodal.data.shards import write_shards

SETTINGS = {"sample_rate": 8000, "num_samples": 4000}
LABELS = {"dog": "a dog barks", "rain": "rain falls", "bell": "a bell rings"}


def square_wave(decibels, seconds=2.0):
    """A sound of the same RMS everywhere."""
    signs = np.where(np.arange(round(8000 * seconds)) % 20 < 10, 1, -1)
    return signs * 10 ** (decibels / 20)


@pytest.fixture(params=[(-45.2, False), (-44.8, True)], ids=["just below", "just above"])
def faint_dog(request, tmp_path):
    """A set whose dog has that level, and whether its crops are to be used."""
    level, used = request.param
    clips = []
    for label in LABELS:
        wav = square_wave(level if label == "dog" else -20)
        soundfile.write(tmp_path / f"{label}.wav", wav, 8000, subtype="FLOAT")
        clips.append(Clip(f"{label}.wav", label, "", 2.0, "train"))
    write_manifest(tmp_path / "train.csv", clips)
    return tmp_path, clips, used


def uses_of_dog(examples):
    return sum("dog" in labels for example in examples for labels in example.labels)


@pytest.mark.parametrize("center_crop", [False, True])
def test_labelled_crops(faint_dog, center_crop):
    root, _, used = faint_dog
    examples = list(
        LabelledMixtures(
            root / "train.csv", **SETTINGS, num_sources=1, epoch_size=20, center_crop=center_crop
        )
    )
    assert (uses_of_dog(examples) > 0) == used
    skipped = {skip.reason for example in examples for skip in example.skipped}
    assert skipped == (set() if used else {SILENT})


def test_sharded_crops(faint_dog, tmp_path):
    pytest.importorskip("webdataset")
    root, _, used = faint_dog
    write_shards(root, tmp_path / "shards")
    shards = f"{tmp_path}/shards/*.tar"
    examples = list(ShardedMixtures(shards, **SETTINGS, num_sources=1, epoch_size=20))
    assert (uses_of_dog(examples) > 0) == used


def test_captioned_crops(faint_dog):
    root, clips, used = faint_dog
    captioned = [Clip(clip.path, "", LABELS[clip.label], 2.0, "train") for clip in clips]
    write_manifest(root / "train.csv", captioned)
    data = CaptionedMixtures(root / "train.csv", **SETTINGS, epoch_size=20)
    examples = list(data)
    assert any("a dog barks" in example.captions for example in examples) == used
    skipped = {skip.path for example in examples for skip in example.skipped}
    assert skipped == (set() if used else {"dog.wav"})


def test_crops_of_evaluation_lists(faint_dog):
    root, clips, used = faint_dog
    drawn = draw_test_list(clips, root, **SETTINGS, num_items=20, num_sources=2, seed=0)
    assert any(s.label == "dog" for item in drawn.mixtures for s in item.sources) == used


def test_the_level_counts_and_not_the_peak():
    """A click of full scale in 4 000 silent samples has -36 dB, in 40 000 it has -46 dB."""
    click = torch.zeros(40_000)
    click[100] = 1.0
    assert is_audible(click[:4000]) and not is_audible(click)
    assert not is_audible(torch.zeros(10))


@pytest.mark.parametrize("rate", [8000, 44_101])
@pytest.mark.parametrize("level", [0.0, 0.5])
@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_a_constant_offset_is_silence_wherever_it_ends(tmp_path, rate, level, seconds):
    """Also where padding and resampling give it an edge."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(round(rate * seconds), level), rate)
    assert read_audible(path, 0.1, 4000, 8000) is None


def test_an_offset_under_a_sound_is_no_silence(tmp_path):
    wav = 0.3 + square_wave(-20)
    soundfile.write(tmp_path / "a.wav", wav, 8000, subtype="FLOAT")
    crop = read_audible(tmp_path / "a.wav", 0.5, 4000, 8000)
    np.testing.assert_allclose(crop, wav[4000:8000], atol=1e-6)


def test_where_crops_start():
    assert [crop_start(10.0, 4.0, place) for place in (0.0, 0.5, 1.0)] == [0.0, 3.0, 6.0]
    assert crop_start(1.0, 4.0, 0.7) == 0.0


def test_what_is_drawn_in_turn_is_all_in_any_order():
    generator = torch.Generator().manual_seed(0)
    orders = ["".join(draw_in_turn("abcd", generator)) for _ in range(2400)]
    assert {"".join(sorted(order)) for order in orders} == {"abcd"}
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 24 and 60 < min(counts) and max(counts) < 145  # 100 in the mean, SD 10


def test_drawing_some_of_many_asks_for_no_others():
    class Asked(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    asked = []
    drawn = draw_in_turn(Asked(range(10**6)), torch.Generator().manual_seed(0))
    assert [next(drawn) for _ in range(3)] == asked
