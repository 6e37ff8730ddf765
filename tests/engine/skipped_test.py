"""Broken clips: each is listed once for each kind of reason, and many of them end the training."""

import csv
import pickle
import shutil
import sys

import numpy as np
import pytest
import soundfile
import torch
from pytorch_lightning.callbacks import TQDMProgressBar

from asteroid_bimodal.data.batches import Skipped, UnusableClipsError, collate
from asteroid_bimodal.data.check import check_dataset
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.loader import ExampleLoader
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.engine.skipped import SkippedClips, Tally
from asteroid_bimodal.engine.train import train
from asteroid_bimodal.engine.trainer import build_trainer

LONG = np.sin(np.arange(16_000)) / 2
PROBLEMS = {  # of each kind of broken clip, what is said of it
    "truncated": "no audio from",
    "short": "no audio from",
    "empty": "empty",
    "zeros": "Silent",
    "offset": "Silent",
    "nan": "infinite samples",
    "inf": "infinite samples",
    "rate": "no audio from",
    "wild": "sample rate of 1000003 Hz",
    "header": "no audio from",
    "text": "no audio file",
    "folder": "is no file",
    "missing": "does not exist",
}


def break_clip(path, kind):
    samples = {"zeros": 0 * LONG, "offset": 0 * LONG + 0.3, "nan": LONG * 0 + np.nan}
    samples |= {"inf": LONG * 0 + np.inf, "short": LONG[:800], "header": LONG[:0]}
    soundfile.write(path, samples.get(kind, LONG), 8000, subtype="FLOAT")
    content = bytearray(path.read_bytes())
    rate = content.index(b"fmt ") + 12
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 10])
    elif kind in ("rate", "wild"):
        content[rate : rate + 4] = {"rate": 44_101, "wild": 1_000_003}[kind].to_bytes(4, "little")
        path.write_bytes(content)
    elif kind in ("empty", "text"):
        path.write_bytes(b"no audio " * 99 * (kind == "text"))
    elif kind in ("folder", "missing"):
        path.unlink()
    if kind == "folder":
        path.mkdir()


@pytest.fixture
def rotten(own_tone_set):
    """A set of 16 sound clips with one of each kind of broken ones, spread over the labels."""
    manifest = own_tone_set.root / "train.csv"
    clips = read_manifest(manifest)
    labels = sorted(own_tone_set.tones)
    for number, kind in enumerate(PROBLEMS):
        break_clip(own_tone_set.root / f"{kind}.wav", kind)
        label = labels[number % len(labels)]
        clips.append(Clip(f"{kind}.wav", label, "", 2.0, "train"))
    write_manifest(manifest, clips)
    return own_tone_set


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("center_crop", [False, True])
def test_every_kind_is_listed_once(rotten, center_crop):
    data = LabelledMixtures(
        rotten.root / "train.csv",
        sample_rate=8000,
        num_samples=1600,
        num_sources=4,
        epoch_size=40,
        center_crop=center_crop,
    )
    tally = Tally()
    for example in data:
        tally.use(example.clips)
        for skip in example.skipped:
            tally.skip(skip.path, skip.reason)
    reasons = {path.removesuffix(".wav"): reason for path, reason, _ in tally.rows}
    assert len(tally.rows) == len(reasons) and set(reasons) == set(PROBLEMS)
    assert all(PROBLEMS[kind] in reason for kind, reason in reasons.items())
    assert all(times > 1 for *_, times in tally.rows)
    never, asked = tally.unusable()
    # What is cut off or short can be used, in part, unless the middle alone is asked for.
    assert asked == 16 + len(PROBLEMS) and len(PROBLEMS) - 3 <= never <= len(PROBLEMS)


def test_every_kind_is_found_by_the_check(rotten):
    report = check_dataset(rotten.root, decode=True)
    # The tones of the splits are the same.
    found = {f.where for f in report.findings if f.kind != "content in two splits"}
    assert found == {f"train.csv, {kind}.wav" for kind in PROBLEMS}


def test_a_row_for_each_clip_and_kind_of_reason():
    tally = Tally()
    for second in range(5):
        tally.skip("a1.wav", f"a1.wav has no audio from {second}.25 s on.")
        tally.skip("a2.wav", f"a2.wav has no audio from {second}.25 s on.")
    tally.skip("a1.wav", "Silent.")
    assert tally.rows == [
        ("a1.wav", "Silent.", 1),
        ("a1.wav", "a1.wav has no audio from 0.25 s on.", 5),
        ("a2.wav", "a2.wav has no audio from 0.25 s on.", 5),
    ]
    assert len(tally.paths) == 2
    assert Tally.sum([tally.state(), tally.state()]).rows[0] == ("a1.wav", "Silent.", 2)


def test_what_is_counted_goes_into_the_checkpoint(tmp_path):
    before, after = (SkippedClips(tmp_path, 0.2) for _ in range(2))
    before.tally.skip("a.wav", "NaN", 3)
    before.tally.use(["b.wav"])
    torch.save(before.state_dict(), tmp_path / "state")
    after.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert after.tally.state() == before.tally.state()


def test_processes_keep_their_own_counts(tmp_path):
    first, second, alone = (SkippedClips(tmp_path, 0.2) for _ in range(3))
    for rank, callback in enumerate((first, second)):
        callback._rank, callback._ranks = rank, 2
        callback.tally.skip("a.wav", "NaN", rank + 1)
    first._states = [first.tally.state(), second.tally.state()]  # as gathered
    state = first.state_dict()
    second.load_state_dict(state)
    alone.load_state_dict(state)
    assert second.tally.rows == [("a.wav", "NaN", 2)] and second.path.name == "skipped_1.csv"
    assert alone.tally.rows == [("a.wav", "NaN", 3)]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), UnusableClipsError("x", [Skipped("b", "")])]
)
def test_the_list_is_written_however_training_ends(tmp_path, error):
    callback = SkippedClips(tmp_path, 0.2)
    callback.tally.skip("a.wav", "NaN")
    callback.on_exception(None, None, error)
    expected = ["a.wav"] + ["b"] * isinstance(error, UnusableClipsError)
    assert [row["path"] for row in rows_of(tmp_path / "skipped.csv")] == expected


def test_counts_are_gathered_before_the_bar_waits(tiny_conf, tone_set, tmp_path, monkeypatch):
    """Only the first process has a bar; others would wait for counts while it waits for figures."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    kinds = [type(c) for c in build_trainer(tiny_conf(tone_set), tmp_path).callbacks]
    assert kinds.index(SkippedClips) < kinds.index(TQDMProgressBar)


def test_the_error_passes_between_processes_whole():
    error = pickle.loads(pickle.dumps(UnusableClipsError("too few", [Skipped("a", "NaN")])))
    assert str(error) == "too few" and error.skipped == [Skipped("a", "NaN")]


def test_workers_tell_which_clips_cannot_be_used(own_tone_set):
    paths = sorted(own_tone_set.root.glob("solo/audio/*/train*.wav"))
    for path in paths:
        path.write_bytes(b"no audio")
    data = LabelledMixtures(own_tone_set.root / "train.csv", sample_rate=8000, num_samples=800)
    loader = ExampleLoader(data, batch_size=2, collate_fn=collate, num_workers=1, timeout=300)
    with pytest.raises(UnusableClipsError, match="^Found usable audio for 0 labels") as raised:
        next(iter(loader))
    assert len({skip.path for skip in raised.value.skipped}) == len(paths)


QUICK = {"data.n_src": 4, "loss": "{crl: 0, cnt: 0}", "data.num_samples": 4080}


def test_too_many_broken_clips_end_the_training(rotten, tmp_path, tiny_conf):
    with pytest.raises(UnusableClipsError, match=r"^\d+ of \d+ clips .* allows 20%") as raised:
        train(tiny_conf(rotten, **QUICK), tmp_path / "exp")
    table = tmp_path / "exp/skipped.csv"
    assert str(raised.value).endswith(f"They are listed in {table}.") and rows_of(table)


def test_when_all_are_broken_the_list_is_there(own_tone_set, tmp_path, tiny_conf):
    paths = sorted(own_tone_set.root.glob("solo/audio/*/train*.wav"))
    for path in paths:
        path.write_bytes(b"no audio")
    with pytest.raises(UnusableClipsError, match="no audio file.*are listed in .*skipped.csv"):
        train(tiny_conf(own_tone_set, **QUICK), tmp_path / "exp")
    assert len(rows_of(tmp_path / "exp/skipped.csv")) == len(paths)


def test_too_many_broken_validation_items_end_the_training(own_tone_set, tmp_path, tiny_conf):
    shutil.rmtree(own_tone_set.root / "solo/audio/violin")
    for path in own_tone_set.root.glob("solo/audio/*/valid*.wav"):
        path.write_bytes(b"")
    conf = tiny_conf(own_tone_set, **{**QUICK, "data.n_src": 2})
    with pytest.raises(UnusableClipsError, match="^3 of 3 items of the validation list.* 20%"):
        train(conf, tmp_path / "exp")
    assert rows_of(tmp_path / "exp/skipped.csv")


def test_names_of_files_may_be_any_bytes(tmp_path):
    Tally([("a\udcff.wav", "It is empty.", 2)]).write(tmp_path / "skipped.csv")
    assert b"a\xff.wav,It is empty.,2" in (tmp_path / "skipped.csv").read_bytes()
