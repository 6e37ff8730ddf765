import numpy as np
import pytest
import soundfile
from miniatures.events import LABELS
from miniatures.vggsound import VGGSOUND, render

from asteroid_bimodal.data.manifest import read_manifest

SMALL = {"takes": {"train": 1, "test": 1}, "seconds": (0.5, 0.8), "num_workers": 1}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("vggsound")
    return root, render(root, **SMALL)


def test_files_and_manifests(small):
    root, manifests = small
    assert set(manifests) == {"train", "test"}
    for split, manifest in manifests.items():
        clips = read_manifest(manifest)
        assert [clip.label for clip in clips] == list(LABELS)
        for clip in clips:
            info = soundfile.info(root / clip.path)
            assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
            assert info.frames == round(clip.seconds * 8000) and 0.5 <= clip.seconds <= 0.8
            assert clip.split == split and clip.path.startswith("audio/")


def test_labels_are_those_of_the_full_set():
    assert len(LABELS) >= 20
    assert "bird chirping, tweeting" in LABELS and "telephone bell ringing" in LABELS


def test_no_clip_in_two_places(small):
    root, _ = small
    sounds = [soundfile.read(path)[0][:4000] for path in sorted((root / "audio").iterdir())]
    assert len({sound.tobytes() for sound in sounds}) == len(sounds) == 2 * len(LABELS)
    numbers = [
        take.numbers
        for namespace in ("separator", "scorer")
        for take in VGGSOUND.plan({"train": 30, "valid": 5, "test": 5}, (1, 2), 0, namespace)
    ]
    assert len(set(numbers)) == len(numbers)


def test_only_what_is_missing_is_rendered(small):
    root, _ = small
    paths = sorted((root / "audio").iterdir())
    before, gone = paths[0].read_bytes(), paths[1].read_bytes()
    paths[1].unlink()
    stamp = paths[0].stat().st_mtime_ns
    render(root, **SMALL)
    assert paths[0].stat().st_mtime_ns == stamp and paths[0].read_bytes() == before
    assert paths[1].read_bytes() == gone


def test_takes_of_another_rate_or_length_stay_untouched(small):
    root, _ = small
    with pytest.raises(ValueError, match="Expected takes of .* at 16000 Hz, found .* at 8000 Hz"):
        render(root, **SMALL, sample_rate=16_000)
    with pytest.raises(ValueError, match="Choose another folder"):
        render(root, **{**SMALL, "seconds": (0.9, 1.0)})


@pytest.mark.parametrize("takes", [{"train": 0}, {"train": -1, "test": 2}])
def test_bad_takes(tmp_path, takes):
    with pytest.raises(ValueError, match="Expected numbers of takes by split"):
        render(tmp_path, takes=takes)
    assert not any(tmp_path.iterdir())


def test_another_seed_is_another_set():
    first, second = (list(VGGSOUND.plan({"test": 1}, (1, 2), seed, "separator")) for seed in (0, 1))
    assert not {take.numbers for take in first} & {take.numbers for take in second}
    assert np.std([take.clip.seconds for take in first]) > 0.1
