import json
import shutil

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.cli import main
from asteroid_bimodal.data.check import SEVERITY, check_dataset
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.pinned import PinnedMixture, PinnedSource, write_test_list

RATE = 8000


def noise(seconds=2.0, seed=0, level=0.1):
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def add(tones, name, label="violin", *, audio=None, content=None, split="train", **changes):
    """Adds a clip to a split: samples, bytes, or no file."""
    path = tones.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if audio is not None:
        soundfile.write(path, audio, RATE, **changes.pop("format", {}))
    elif content is not None:
        path.write_bytes(content)
    row = {"label": label, "caption": "", "seconds": 2.0, "split": split} | changes
    manifest = tones.root / f"{split}.csv"
    write_manifest(manifest, [*read_manifest(manifest), Clip(name, **row)])


def found(tones, **options):
    """Kind and place of each finding."""
    return [(f.kind, f.where) for f in check_dataset(tones.root, **options).findings]


@pytest.mark.parametrize("decode", [False, True])
def test_a_sound_set_is_clean(tone_set, decode):
    report = check_dataset(tone_set.root, decode=decode)
    assert not report.findings and report.num_errors == report.num_warnings == 0
    assert report.clips == {"train": 16, "valid": 8, "test": 8}
    assert report.labels == 8 and len(report.lists) == 2
    assert ("--decode" in report.table()) != decode


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize(
    ("content", "kind", "detail"),
    [
        (None, "missing file", "does not exist"),
        (b"", "unreadable", "empty"),
        (b"no audio " * 99, "unreadable", "it is no audio file"),
    ],
)
def test_files_that_are_missing_or_unreadable(own_tone_set, decode, content, kind, detail):
    add(own_tone_set, "bad.wav", content=content)
    (finding,) = check_dataset(own_tone_set.root, decode=decode).findings
    assert (finding.kind, finding.where) == (kind, "train.csv, bad.wav")
    assert detail in finding.detail and str(own_tone_set.root) not in finding.detail


def test_files_without_samples(own_tone_set):
    add(own_tone_set, "bad.wav", audio=np.zeros(0))
    assert found(own_tone_set) == [("unreadable", "train.csv, bad.wav")]


def test_what_only_decoding_shows(own_tone_set):
    nan = noise()
    nan[9000] = np.nan
    add(own_tone_set, "nan.wav", audio=nan, format={"subtype": "FLOAT"})
    add(own_tone_set, "silent.wav", audio=noise(level=1e-3))
    add(own_tone_set, "cut.flac", audio=noise(20.0), seconds=20.0)
    cut = own_tone_set.root / "cut.flac"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    assert found(own_tone_set) == []
    report = check_dataset(own_tone_set.root, decode=True)
    details = {(f.kind, f.where): f.detail for f in report.findings}
    assert set(details) == {
        ("not finite", "train.csv, nan.wav"),
        ("silent", "train.csv, silent.wav"),
        ("unreadable", "train.csv, cut.flac"),
    }
    assert "in second 1" in details["not finite", "train.csv, nan.wav"]
    assert "-60 dB" in details["silent", "train.csv, silent.wav"]


@pytest.mark.parametrize(("decibels", "silent"), [(-45.2, True), (-44.8, False)])
def test_the_silence_threshold(own_tone_set, decibels, silent):
    add(own_tone_set, "a.wav", audio=np.tile([1, -1], RATE) * 10 ** (decibels / 20))
    assert found(own_tone_set, decode=True) == [("silent", "train.csv, a.wav")] * silent


def test_a_short_sound_in_a_long_silence_is_not_silent(own_tone_set):
    audio = np.zeros(10 * RATE)
    audio[5 * RATE : 6 * RATE] = noise(1.0)
    add(own_tone_set, "rare.wav", audio=audio, seconds=10.0)
    assert found(own_tone_set, decode=True) == []


def test_lengths(own_tone_set):
    add(own_tone_set, "short.wav", audio=noise(0.4), seconds=0.4)
    add(own_tone_set, "wrong.wav", audio=noise(3.0), seconds=3.2)
    add(own_tone_set, "right.wav", audio=noise(3.0, seed=1), seconds=3.05)
    assert found(own_tone_set) == [
        ("short", "train.csv, short.wav"),
        ("wrong seconds", "train.csv, wrong.wav"),
    ]
    assert len(found(own_tone_set, min_seconds=0.3)) == 1


def test_rows(own_tone_set):
    for name in ("twice.wav", "labels.wav", "captions.wav"):
        add(own_tone_set, name, audio=noise(seed=len(name)))
    add(own_tone_set, "twice.wav")
    add(own_tone_set, "labels.wav", label="flute")
    # As in AudioCaps' test split: several captions of one clip are as they should be.
    add(own_tone_set, "captions.wav", caption="one")
    add(own_tone_set, "mute.wav", label="", audio=noise(seed=20))
    add(own_tone_set, "../tones/up.wav", audio=noise(seed=21))
    rows = read_manifest(own_tone_set.root / "test.csv")
    write_manifest(
        own_tone_set.root / "test.csv", [*rows[1:], Clip(**vars(rows[0]) | {"split": ""})]
    )
    report = check_dataset(own_tone_set.root)
    details = {f.where: (f.kind, f.detail) for f in report.findings}
    assert details == {
        "train.csv, twice.wav": ("duplicate row", "the same row again"),
        "train.csv, labels.wav": ("duplicate row", "with the labels 'flute', 'violin'"),
        "train.csv, mute.wav": ("no words", "neither a label nor a caption"),
        "train.csv, ../tones/up.wav": ("bad path", "expected a path below the manifest's folder"),
        f"test.csv, {rows[0].path}": ("bad split", "expected test, received ''"),
    }


@pytest.mark.parametrize("decode", [False, True])
def test_the_same_content_under_two_names(own_tone_set, decode):
    add(own_tone_set, "one.wav", audio=noise())
    add(own_tone_set, "other.wav", audio=noise())
    add(own_tone_set, "valid.wav", audio=noise(seed=1), split="valid")
    add(own_tone_set, "third.wav", audio=noise(seed=1))
    findings = check_dataset(own_tone_set.root, decode=decode).findings
    assert [(f.kind, f.where, f.detail) for f in findings] == [
        ("duplicate content", "train.csv, one.wav", "the same as train.csv, other.wav"),
        ("content in two splits", "train.csv, third.wav", "the same as valid.csv, valid.wav"),
    ]


def test_the_same_sound_in_two_formats(own_tone_set):
    samples = (2**15 * noise()).astype("int16")
    add(own_tone_set, "one.wav", audio=samples)
    add(own_tone_set, "other.flac", audio=samples)
    assert found(own_tone_set) == []
    assert found(own_tone_set, decode=True) == [("duplicate content", "train.csv, one.wav")]


def test_a_video_in_two_splits(own_tone_set):
    add(own_tone_set, "audio/8Wd5bCnJ1eA_000030.wav", audio=noise())
    add(own_tone_set, "audio/8Wd5bCnJ1eA_000070.wav", audio=noise(seed=1), split="test")
    (finding,) = check_dataset(own_tone_set.root).findings
    assert (finding.kind, finding.where) == ("video in two splits", "8Wd5bCnJ1eA")
    assert "000030" in finding.detail and "test.csv" in finding.detail


def test_labels(own_tone_set):
    add(own_tone_set, "a.wav", label="voilin", audio=noise())
    add(own_tone_set, "b.wav", label="Acoustic_Guitar", audio=noise(seed=1))
    add(own_tone_set, "c.wav", label="kazoo", audio=noise(seed=2), split="test")
    findings = check_dataset(own_tone_set.root).findings
    assert [(f.kind, f.where, f.detail) for f in findings] == [
        ("similar labels", "'Acoustic_Guitar'", "1 of it; the label 'acoustic guitar' has 4"),
        ("similar labels", "'voilin'", "1 of it; the label 'violin' has 4"),
        ("label not in train", "test.csv, 'kazoo'", "1 of it"),
    ]


def test_lists(own_tone_set):
    (path,) = (own_tone_set.root / "lists").glob("test_2src*.csv")
    rows = read_manifest(own_tone_set.root / "test.csv")
    trained = read_manifest(own_tone_set.root / "train.csv")[0]
    sources = [PinnedSource(p, "x", 0.0, 1.0) for p in ("gone.wav", trained.path, rows[0].path)]
    items = [PinnedMixture(0, tuple(sources[1:])), PinnedMixture(1, tuple(sources[:1]))]
    other = write_test_list(own_tone_set.root / "lists", "test_3src", items)
    path.write_text(path.read_text().replace("1.0", "0.9"))
    findings = check_dataset(own_tone_set.root).findings
    assert {(f.kind, f.where) for f in findings} == {
        ("broken list", f"lists/{path.name}"),
        ("training clip in list", f"lists/{other.name}, {trained.path}"),
        ("clip of list is gone", f"lists/{other.name}, gone.wav"),
    }
    gone = next(f for f in findings if "gone" in f.kind)
    assert gone.detail == "items 1 of 2 cannot be scored"


def test_broken_and_missing_manifests(own_tone_set):
    (own_tone_set.root / "valid.csv").write_text("path,label\na.wav,violin\n")
    (own_tone_set.root / "test.csv").unlink()
    report = check_dataset(own_tone_set.root)
    assert [(f.kind, f.where) for f in report.findings] == [
        ("broken manifest", "valid.csv"),
        ("no manifest", "test.csv"),
    ]
    assert "missing: caption, seconds, split" in report.findings[0].detail
    assert report.num_errors == report.num_warnings == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"path,label,caption,seconds,split\n"])
def test_manifests_of_nothing(own_tone_set, content):
    (own_tone_set.root / "train.csv").write_bytes(content)
    assert ("broken manifest", "train.csv") in found(own_tone_set)


def test_bad_calls(tmp_path, tone_set):
    with pytest.raises(FileNotFoundError, match="has no train.csv, valid.csv .*Run stage 0"):
        check_dataset(tmp_path)
    with pytest.raises(ValueError, match="one job or more, received 0"):
        check_dataset(tone_set.root, jobs=0)


def test_the_table_counts_and_shows_the_first_few(own_tone_set):
    for number in range(5):
        add(own_tone_set, f"gone{number}.wav")
    table = check_dataset(own_tone_set.root).table()
    assert "error    missing file                5  train.csv, gone0.wav: the file does" in table
    assert "gone2.wav" in table and "gone3.wav" not in table and "… and 2 more" in table
    assert "5 errors, 0 warnings." in table


def test_the_command(own_tone_set, tmp_path, capsys):
    main(["check", str(own_tone_set.root), "--decode"])
    assert "0 errors, 0 warnings." in capsys.readouterr().out
    add(own_tone_set, "a.wav", label="voilin", audio=noise())
    main(["check", str(own_tone_set.root)])  # a warning alone
    assert "0 errors, 1 warning." in capsys.readouterr().out
    shutil.rmtree(own_tone_set.root / "solo/audio/cello")
    with pytest.raises(SystemExit) as error:
        main(["check", str(own_tone_set.root), "--json", str(tmp_path / "out/all.json")])
    assert error.value.code == 1
    written = json.loads((tmp_path / "out/all.json").read_text())
    counts = {item["kind"]: item["count"] for item in written["findings"]}
    assert counts["missing file"] == 4 and counts["similar labels"] == 1
    assert len(written["findings"][0]["items"]) == 4 == written["errors"]
    assert written["findings"][0]["severity"] == SEVERITY["missing file"] == "error"


def test_the_command_without_a_data_set(tmp_path):
    with pytest.raises(SystemExit) as error:
        main(["check", str(tmp_path)])
    assert error.value.code.startswith(f"asteroid-bimodal: {tmp_path} has no train.csv")
