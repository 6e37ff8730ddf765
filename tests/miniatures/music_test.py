import numpy as np
import pytest
import soundfile
from miniatures.music import LABELS, MUSIC, render, render_take

from asteroid_bimodal.data.manifest import read_manifest

SMALL = {"takes": {"train": 1, "test": 1}, "seconds": (1.0, 2.0), "num_workers": 1}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("mini")
    return root, render(root, **SMALL)


def wavs(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.glob("**/*.wav"))}


def test_the_labels_of_music():
    assert len(LABELS) == 11 and sorted(LABELS) == list(LABELS)
    assert {"acoustic guitar", "erhu", "xylophone"} < set(LABELS)
    assert MUSIC.takes["train"] >= 12 and MUSIC.takes["valid"] >= 3 and MUSIC.takes["test"] >= 4


def test_manifests_list_what_is_there(rendered):
    root, manifests = rendered
    assert set(manifests) == {"train", "test"}
    clips = [clip for path in manifests.values() for clip in read_manifest(path)]
    assert {root / clip.path for clip in clips} == set(root.glob("solo/audio/*/*.wav"))
    for split, path in manifests.items():
        rows = read_manifest(path)
        assert [clip.label for clip in rows] == list(LABELS)
        assert {clip.split for clip in rows} == {split}


def test_rate_length_and_level(rendered):
    root, manifests = rendered
    for clip in [clip for path in manifests.values() for clip in read_manifest(path)]:
        audio, rate = soundfile.read(root / clip.path)
        assert rate == 8000 and audio.ndim == 1
        assert 1.0 <= clip.seconds <= 2.0 and len(audio) == round(clip.seconds * 8000)
        assert 0.4 < np.abs(audio).max() <= 1.0, clip.path
        assert np.sqrt(np.mean(audio**2)) > 0.005, clip.path


def test_the_same_bytes_twice(rendered, tmp_path):
    root, _ = rendered
    render(tmp_path, **SMALL)
    assert wavs(tmp_path) == wavs(root)
    for name in ("train.csv", "test.csv"):
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes()


@pytest.mark.parametrize("change", [{"seed": 1}, {"namespace": "scorer"}])
def test_other_seeds_and_namespaces_share_no_take(rendered, tmp_path, change):
    render(tmp_path, **SMALL, **change)
    assert not set(wavs(tmp_path).values()) & set(wavs(rendered[0]).values())


def test_no_take_is_in_two_splits(rendered):
    assert len(set(wavs(rendered[0]).values())) == 22


def test_more_takes_leave_the_others_as_they_are(rendered, tmp_path):
    render(tmp_path, **{**SMALL, "takes": {"test": 2}})
    more, fewer = wavs(tmp_path), wavs(rendered[0])
    common = set(more) & set(fewer)
    assert len(more) == 22 and len(common) == 11
    assert all(more[name] == fewer[name] for name in common)


def test_renders_only_what_is_missing(tmp_path):
    settings = {**SMALL, "takes": {"test": 1}}
    render(tmp_path, **settings)
    before = wavs(tmp_path)
    lost, *kept = sorted(tmp_path.glob("**/*.wav"))
    times = [path.stat().st_mtime_ns for path in kept]
    lost.unlink()
    render(tmp_path, **settings)
    assert wavs(tmp_path) == before
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_a_folder_of_another_rate(rendered):
    with pytest.raises(ValueError, match="Expected takes of .* at 16000 Hz, found .* at 8000 Hz"):
        render(rendered[0], **SMALL, sample_rate=16_000)


def test_a_folder_of_other_lengths(rendered):
    with pytest.raises(ValueError, match="Expected takes of 3.0 s at 8000 Hz, found"):
        render(rendered[0], **{**SMALL, "seconds": (3.0, 3.0)})


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050])
def test_a_take_of_any_rate(rate):
    audio = render_take("tuba", 1.5, rate, np.random.default_rng(0))
    assert audio.shape == (round(1.5 * rate),) and audio.dtype == np.float32
    assert np.isfinite(audio).all() and np.abs(audio).max() <= 1


def test_an_unknown_label():
    with pytest.raises(ValueError, match="Expected a label of accordion.*received 'kazoo'"):
        render_take("kazoo", 1.0, 8000, np.random.default_rng(0))
