"""What the shipped models learn from: which recordings, on which side, how many files of each."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

EGS = Path(__file__).parents[2] / "egs"
pytest.importorskip("pedalboard")
sys.path.insert(0, str(EGS / "shipped/local"))

import recordings as r  # noqa: E402

from asteroid_bimodal.queries.vocabulary import read_vocabulary  # noqa: E402

HEAD = "path,label,seconds,kind,group,pitch,licence,attribution,source\n"


@pytest.fixture
def conf(tmp_path):
    conf = OmegaConf.load(EGS / "shipped/local/sources.yml").recordings
    rows = [
        f"v{n}.wav,violin,1,single_note,set{n % 4},C{n % 3 + 3},CC0,someone,here" for n in range(12)
    ]
    rows += [
        "d.wav,dog barking,1,event,a,,CC BY 3.0,,there",
        "s.wav,man speaking,1,speech,b,,GPL-2,x,y",
    ]
    rows += ["t.wav,thunder,1,event,c,,GPL-2+,x,y", "w.wav,whale,1,event,d,,CC0,x,y"]
    conf.manifest = str(tmp_path / "manifest.csv")
    (tmp_path / "manifest.csv").write_text(HEAD + "\n".join(rows) + "\n")
    return conf


def test_licences_and_labels(conf):
    labels = read_vocabulary(EGS / "shipped/local/vocabulary.yml").labels
    chosen = r.choose(conf, labels)
    assert {one.label for one in chosen} == {"violin", "dog barking", "man speaking"}
    assert next(one for one in chosen if one.label == "dog barking").attribution == "there"
    with pytest.raises(ValueError, match="'man speaking', which is not in vocabulary.yml"):
        r.choose(conf, ["violin", "dog barking", "thunder"])


def test_groups_are_on_one_side_and_labels_keep_two(conf):
    chosen = r.choose(conf, ["violin", "dog barking", "man speaking", "thunder"])
    splits = r.split_groups(chosen, 0.3)
    assert sorted(splits.values()) == ["train"] * 5 + ["valid"]
    assert splits["a"] == splits["b"] == "train"
    pieces = r.plan(chosen, conf, splits)
    for piece in pieces:
        assert {splits[one.group] for one in piece.recordings} == {piece.split}
    assert len({piece.name for piece in pieces}) == len(pieces)
    counts = [
        sum(p.label == "dog barking" for p in pieces),
        sum(p.split == "valid" for p in pieces),
    ]
    assert counts == [conf.most_variants, 1]


@pytest.mark.parametrize(("name", "pitch"), [("C4", 60), ("A#2", 46), ("F# midi078", 78), ("", 0)])
def test_pitches(name, pitch):
    assert r._pitch(name) == pitch


def test_level_is_that_of_what_sounds():
    tone = np.sin(np.arange(16000) / 5).astype(np.float32)
    quiet = np.concatenate([1e-3 * tone, np.zeros(48000, np.float32)])
    assert np.isclose(np.sqrt(np.mean(r.level(quiet)[:16000] ** 2)), 0.1, rtol=0.02)
    assert np.array_equal(r.level(np.zeros(1000, np.float32)), np.zeros(1000))


def test_every_label_of_the_sources_is_in_the_vocabulary():
    words = read_vocabulary(EGS / "shipped/local/vocabulary.yml")
    conf = OmegaConf.load(EGS / "shipped/local/sources.yml")
    assert {*conf.synthesised.labels.values(), *conf.recordings.needed} <= {*words.labels}
    assert len(words.labels) == 77
