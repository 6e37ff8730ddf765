"""Two sets: one that is trained on, and one that is tested with."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.cli import main
from asteroid_bimodal.data.check import check_dataset, files
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.pinned import PinnedMixture, PinnedSource, write_test_list

VIDEO = "8Wd5bCnJ1eA"


@pytest.fixture
def other(tmp_path):
    """A set of two clips that are trained on."""
    root = tmp_path / "other"
    add(root, "train", "audio/a.wav", seed=1)
    add(root, "train", "audio/b.wav", seed=2)
    return root


def add(root, split, name, seed, seconds=2.0):
    path, manifest = root / name, root / f"{split}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = 0.1 * np.random.default_rng(seed).standard_normal(round(8000 * seconds))
    soundfile.write(path, wav, 8000)
    clips = read_manifest(manifest) if manifest.is_file() else []
    write_manifest(manifest, [*clips, Clip(name, "violin", "", seconds, split)])


def found(root, *others, **options):
    report = check_dataset(root, against=others, **options)
    return [(f.kind, f.where, f.detail) for f in report.findings]


def test_sets_that_share_nothing(tone_set, other):
    report = check_dataset(tone_set.root, against=[other])
    assert not report.findings and report.against == [str(other)]
    assert f"against: {other}" in report.table()


def test_a_video_that_the_other_trains_with(own_tone_set, other):
    add(other, "train", f"audio/{VIDEO}_30.wav", seed=3)
    add(own_tone_set.root, "test", f"audio/Y{VIDEO}.wav", seed=4)
    assert found(own_tone_set.root) == []
    assert found(own_tone_set.root, other) == [
        (
            "video in other train",
            VIDEO,
            f"test.csv, audio/Y{VIDEO}.wav; {other}/train.csv, audio/{VIDEO}_30.wav",
        )
    ]


def test_what_the_other_tests_with_and_this_one_trains_with_is_no_leak(own_tone_set, other):
    add(other, "test", f"audio/{VIDEO}.wav", seed=3)
    add(own_tone_set.root, "train", f"audio/Y{VIDEO}.wav", seed=3)
    assert found(own_tone_set.root, other) == []


def test_a_clip_of_a_pinned_list_alone(own_tone_set, other):
    add(other, "train", f"audio/{VIDEO}.wav", seed=3)
    source = PinnedSource(f"old/Y{VIDEO}.wav", "violin", 0.0, 1.0)
    path = write_test_list(own_tone_set.root / "lists", "test_1src", [PinnedMixture(0, (source,))])
    findings = {kind: (where, detail) for kind, where, detail in found(own_tone_set.root, other)}
    assert findings["video in other train"] == (
        VIDEO,
        f"lists/{path.name}, old/Y{VIDEO}.wav; {other}/train.csv, audio/{VIDEO}.wav",
    )


@pytest.mark.parametrize("decode", [False, True])
def test_the_same_content_under_another_name(own_tone_set, other, decode):
    add(other, "train", "audio/copy.wav", seed=5)
    add(own_tone_set.root, "valid", "audio/original.wav", seed=5)
    assert found(own_tone_set.root, other, decode=decode) == [
        (
            "content in other train",
            "valid.csv, audio/original.wav",
            f"the same as {other}/train.csv, audio/copy.wav",
        )
    ]


def test_only_files_of_the_same_size_are_read(own_tone_set, other, monkeypatch):
    """Of the set itself, all files have one size."""
    add(other, "train", "audio/c.wav", seed=6, seconds=2.5)
    read = []
    digest = files._file_digest
    monkeypatch.setattr(files, "_file_digest", lambda path: read.append(path) or digest(path))
    assert found(own_tone_set.root, other) == []
    assert other / "audio/a.wav" in read and other / "audio/c.wav" not in read


def test_the_same_video_with_the_same_content_is_told_once(own_tone_set, other):
    add(other, "train", f"audio/{VIDEO}.wav", seed=3)
    add(own_tone_set.root, "test", f"audio/Y{VIDEO}.wav", seed=3)
    assert [kind for kind, _, _ in found(own_tone_set.root, other)] == ["video in other train"]


def test_audio_of_the_other_need_not_be_there(own_tone_set, other):
    add(other, "train", f"audio/{VIDEO}.wav", seed=3)
    add(own_tone_set.root, "test", f"audio/Y{VIDEO}.wav", seed=3)
    shutil.rmtree(other / "audio")
    assert [kind for kind, _, _ in found(own_tone_set.root, other)] == ["video in other train"]


def test_several_others(own_tone_set, other, tmp_path):
    add(tmp_path / "third", "train", f"{VIDEO}.wav", seed=7)
    add(other, "train", f"audio/{VIDEO}.wav", seed=8)
    add(own_tone_set.root, "test", f"audio/Y{VIDEO}.wav", seed=9)
    ((_, _, detail),) = found(own_tone_set.root, other, tmp_path / "third")
    assert f"{other}/train.csv" in detail and f"{tmp_path / 'third'}/train.csv" in detail


def test_others_that_are_none(tone_set, other, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere/train.csv does not exist.*trained on"):
        found(tone_set.root, tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="a.wav/train.csv does not exist.*trained on"):
        found(tone_set.root, other / "audio/a.wav")
    same = tone_set.root / ".." / tone_set.root.name
    with pytest.raises(ValueError, match="is the data set itself. .*its own splits"):
        found(tone_set.root, same)
    (other / "train.csv").write_text("path,label\na.wav,violin\n")
    with pytest.raises(ValueError, match="other/train.csv.*missing: caption, seconds, split"):
        found(tone_set.root, other)


def test_the_command(own_tone_set, other, tmp_path, capsys):
    add(other, "train", f"audio/{VIDEO}.wav", seed=3)
    moved = replace(read_manifest(other / "train.csv")[0], path=f"audio/Y{VIDEO}.wav", split="test")
    rows = read_manifest(own_tone_set.root / "test.csv")
    write_manifest(own_tone_set.root / "test.csv", [*rows, moved])
    options = ["--against", str(other), "--against", str(other), "--json", str(tmp_path / "a.json")]
    with pytest.raises(SystemExit) as error:
        main(["check", str(own_tone_set.root), *options])
    assert error.value.code == 1 and "video in other train" in capsys.readouterr().out
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["against"] == [str(other)]
    (leak,) = [f for f in written["findings"] if f["kind"] == "video in other train"]
    assert leak["severity"] == "error" and leak["count"] == 1
    (item,) = leak["items"]
    assert item["where"] == VIDEO
    assert "test.csv" in item["detail"] and f"{other}/train.csv" in item["detail"]
