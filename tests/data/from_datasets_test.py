"""Data sets of the library `datasets` become folders that can be trained on."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.data.captioned import CaptionedMixtures
from asteroid_bimodal.data.from_datasets import from_datasets
from asteroid_bimodal.data.manifest import read_manifest
from asteroid_bimodal.utils.audio_file import read_audio

datasets = pytest.importorskip("datasets")
CAPTIONS = ["A dog barks", "rain falls\non a roof", "A bell rings"]


@pytest.fixture
def sounds(tmp_path):
    """Three files of noise, a second each, and one that is no audio."""
    for number, kind in enumerate(("wav", "flac", "ogg")):
        noise = np.random.default_rng(number).normal(0, 0.1, 16000)
        soundfile.write(tmp_path / f"{number}.{kind}", noise, 16000)
    (tmp_path / "text.wav").write_text("words")
    return [tmp_path / name for name in ("0.wav", "1.flac", "2.ogg", "text.wav")]


@pytest.mark.parametrize("streamed", [False, True])
def test_clips_are_as_they_were_and_can_be_trained_on(sounds, tmp_path, streamed):
    rows = {"sound": [str(path) for path in sounds[:3]], "text": CAPTIONS, "id": [1, 2, 3]}
    dataset = datasets.Dataset.from_dict(rows).cast_column("sound", datasets.Audio())
    if streamed:
        dataset = dataset.to_iterable_dataset()
    manifest = from_datasets(dataset, tmp_path / "set", audio="sound", caption="text")
    clips = read_manifest(manifest)
    assert [clip.caption for clip in clips] == [
        "A dog barks",
        "rain falls on a roof",
        "A bell rings",
    ]
    assert [clip.seconds for clip in clips] == [1, 1, 1]
    for clip, path in zip(clips, sounds, strict=False):
        assert (tmp_path / "set" / clip.path).read_bytes() == path.read_bytes()
    mixtures = CaptionedMixtures(manifest, sample_rate=16000, num_samples=8000, epoch_size=1)
    assert mixtures[0].mixtures.shape == (2, 8000)


def test_sound_inside_of_the_data_set(sounds, tmp_path):
    wav = soundfile.read(sounds[0], dtype="float32")[0]
    buffer = io.BytesIO()
    soundfile.write(buffer, wav, 16000, format="wav", subtype="FLOAT")
    rows = {"audio": [{"bytes": buffer.getvalue(), "path": None}], "caption": CAPTIONS[:1]}
    dataset = datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio())
    (clip,) = read_manifest(from_datasets(dataset, tmp_path, split="test"))
    np.testing.assert_array_equal(read_audio(tmp_path / clip.path)[0][0].numpy(), wav)
    assert (clip.path, clip.split) == ("audio/test/000000.wav", "test")


def test_rows_that_cannot_be_used_are_told(sounds, tmp_path):
    paths = [str(path) for path in (*sounds[:2], sounds[3])]
    dataset = datasets.Dataset.from_dict({"audio": paths, "caption": ["A dog barks", " ", "rain"]})
    with pytest.warns(UserWarning, match="2 of 3 rows are left out. row 1 has no caption"):
        manifest = from_datasets(dataset, tmp_path / "set")
    assert len(read_manifest(manifest)) == 1
    with pytest.raises(ValueError, match="1 of 1 rows are left out. Cannot read row 0"):
        from_datasets(dataset.select([2]), tmp_path / "set")
    with pytest.raises(ValueError, match="no column 'sound', but audio, caption: name those"):
        from_datasets(dataset, tmp_path / "set", audio="sound")
