import hashlib

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.data.manifest import read_manifest
from asteroid_bimodal.data.pinned import (
    PinnedMixture,
    PinnedSource,
    draw_test_list,
    read_test_list,
    write_test_list,
)

MIXTURES = [
    PinnedMixture(
        0, (PinnedSource("a.wav", "violin", 1.25, 1.0), PinnedSource("b", "x", 0.0, 0.5))
    ),
    PinnedMixture(1, (PinnedSource("c,d.wav", "tuba", 0.001, 1.0),)),
]


def draw(tone_set, **changes):
    return draw_list(tone_set, **changes).mixtures


def draw_list(tone_set, **changes):
    settings = {"num_items": 5, "num_sources": 2, "sample_rate": 8000, "num_samples": 4000}
    clips = read_manifest(tone_set.root / "test.csv")
    return draw_test_list(clips, tone_set.root, **{**settings, "seed": 0, **changes})


def test_round_trip_with_the_digest_in_the_name(tmp_path):
    path = write_test_list(tmp_path / "lists", "test_2src_seed0", MIXTURES)
    # The name is part of published results: it must never change.
    content = (
        b"item,path,label,start,gain\n"
        b'0,a.wav,violin,1.25,1.0\n0,b,x,0.0,0.5\n1,"c,d.wav",tuba,0.001,1.0\n'
    )
    assert path.read_bytes() == content
    assert path.name == f"test_2src_seed0_{hashlib.sha256(content).hexdigest()[:12]}.csv"
    assert read_test_list(path) == MIXTURES


def test_a_changed_list_is_detected(tmp_path):
    path = write_test_list(tmp_path, "test", MIXTURES)
    path.write_text(path.read_text().replace("1.25", "1.26"))
    with pytest.raises(ValueError, match="was changed.*run stage 1 again"):
        read_test_list(path)


def test_a_renamed_list_is_detected(tmp_path):
    path = write_test_list(tmp_path, "test", MIXTURES)
    with pytest.raises(ValueError, match="was changed"):
        read_test_list(path.rename(tmp_path / "mine.csv"))


def test_missing_columns_and_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist. Run stage 1"):
        read_test_list(tmp_path / "none.csv")
    (tmp_path / "list.csv").write_text("item,path\n0,a.wav\n")
    with pytest.raises(ValueError, match="missing: label, start, gain. Delete it and run stage 1"):
        read_test_list(tmp_path / "list.csv")


def test_draws_are_deterministic(tone_set):
    assert draw(tone_set) == draw(tone_set)
    assert draw(tone_set) != draw(tone_set, seed=1)


@pytest.mark.parametrize("num_sources", [1, 2, 4, 8])
def test_labels_are_distinct(tone_set, num_sources):
    for mixture in draw(tone_set, num_sources=num_sources):
        labels = {source.label for source in mixture.sources}
        assert len(labels) == len(mixture.sources) == num_sources
        assert all(0 <= source.start <= 1.5 for source in mixture.sources)


def test_silent_crops_are_not_drawn(own_tone_set):
    for path in own_tone_set.root.glob("solo/audio/violin/test*.wav"):
        soundfile.write(path, np.zeros(16_000), 8000)
    labels = {source.label for item in draw(own_tone_set) for source in item.sources}
    assert "violin" not in labels


def test_too_few_labels_or_sounds(own_tone_set):
    with pytest.raises(ValueError, match="Expected 9 labels or more, received 8"):
        draw(own_tone_set, num_sources=9)
    for path in own_tone_set.root.glob("solo/audio/*/test*.wav"):
        soundfile.write(path, np.zeros(16_000), 8000)
    with pytest.raises(ValueError, match="nearly silent"):
        draw(own_tone_set)


def test_unreadable_clips_are_passed_over_and_reported(own_tone_set):
    (path,) = own_tone_set.root.glob("solo/audio/violin/test*.wav")
    path.write_text("no audio " * 9)
    drawn = draw_list(own_tone_set, num_sources=4)
    items, skipped = drawn.mixtures, drawn.skipped
    assert len(items) == 5
    assert "violin" not in {source.label for item in items for source in item.sources}
    assert skipped and {skip.path for skip in skipped} == {
        path.relative_to(own_tone_set.root).as_posix()
    }


def test_a_set_of_which_nothing_can_be_read(own_tone_set):
    for path in own_tone_set.root.glob("solo/audio/*/test*.wav"):
        path.unlink()
    with pytest.raises(ValueError, match="found 0: .*cannot be used. Last .*does not exist"):
        draw(own_tone_set)
