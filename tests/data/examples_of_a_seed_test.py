"""The examples of a seed, an epoch and an item are known: the draws and their order must stay."""

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.data.captioned import CaptionedMixtures
from asteroid_bimodal.data.datasets import LabelledMixtures, SemiSupervised
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.sharded import ShardedMixtures
from asteroid_bimodal.data.shards import write_shards

SETTINGS = {"sample_rate": 8000, "num_samples": 4000, "epoch_size": 8}


@pytest.fixture(scope="module")
def manifest(make_tone_set, tmp_path_factory):
    """The tone set with two clips of violins that cannot be used."""
    root = make_tone_set(tmp_path_factory.mktemp("tones")).root
    soundfile.write(root / "nan.wav", np.full(16_000, np.nan), 8000, subtype="FLOAT")
    soundfile.write(root / "silent.wav", np.zeros(16_000), 8000)
    clips = read_manifest(root / "train.csv")
    clips += [Clip(name, "violin", "", 2.0, "train") for name in ("nan.wav", "silent.wav")]
    write_manifest(root / "train.csv", clips)
    return root / "train.csv"


def assert_example(example, captions, phrases, absent, numbers, skipped):
    """Compares words, RMS and the 1 000th sample of the mixtures, and the clips passed over."""
    assert (example.captions, example.phrases, example.absent) == (captions, phrases, absent)
    found = [*example.mixtures.square().mean(-1).sqrt(), *example.mixtures[:, 1000]]
    assert torch.stack(found).tolist() == pytest.approx(numbers, abs=2e-6)
    assert list(dict.fromkeys(skip.path for skip in example.skipped)) == skipped


def test_labelled(manifest):
    data = LabelledMixtures(
        manifest, **SETTINGS, num_sources=3, seed=5, num_absent=1, prompt=["{}", "a {}"]
    )
    data.epoch = 1
    assert_example(
        data[7],
        [
            "The sound mixture of flute, cello and violin",
            "The sound mixture of erhu, accordion and acoustic guitar",
        ],
        [["flute", "cello", "violin"], ["a erhu", "accordion", "acoustic guitar"]],
        ["trumpet"],
        [0.09937243, 0.10543570, -0.07937775, 0.04523158],
        ["nan.wav"],
    )


def test_semi_supervised(manifest):
    pairs = SemiSupervised(
        LabelledMixtures(manifest, **SETTINGS, share=(0.5, 1.0)),
        LabelledMixtures(manifest, **SETTINGS, num_sources=1, share=(0.0, 0.5), seed=1),
    )
    pairs.epoch = 3
    mixed, clean = pairs[2]
    assert_example(
        mixed,
        ["The sound mixture of clarinet and violin", "The sound mixture of accordion and flute"],
        [
            ["The sound of clarinet", "The sound of violin"],
            ["The sound of accordion", "The sound of flute"],
        ],
        [],
        [0.13189590, 0.07414600, -0.00989589, 0.14774582],
        ["nan.wav"],
    )
    assert_example(
        clean,
        ["The sound of clarinet", "The sound of acoustic guitar"],
        [["The sound of clarinet"], ["The sound of acoustic guitar"]],
        [],
        [0.19777451, 0.16205174, 0.07053688, 0.09753540],
        [],
    )


def test_sharded(manifest, tmp_path):
    pytest.importorskip("webdataset")
    third = write_shards(manifest.parent, tmp_path, clips_per_shard=6).paths[2]
    data = ShardedMixtures(f"{tmp_path}/train-*.tar", **SETTINGS, memory=200_000, seed=2)
    assert_example(
        list(data)[2],
        [
            "The sound mixture of acoustic guitar and trumpet",
            "The sound mixture of flute and violin",
        ],
        [
            ["The sound of acoustic guitar", "The sound of trumpet"],
            ["The sound of flute", "The sound of violin"],
        ],
        [],
        [0.12206487, 0.16249852, -0.10516461, 0.27478042],
        [f"{third.name}/000000013.wav"],
    )


def test_captioned(manifest):
    captions = {
        "accordion": "A dog barks while rain falls",
        "cello": "Wind blows and a cat meows",
        "erhu": "a bell rings, a man talks and birds chirp while a car passes",
        "flute": "dogs bark",
        "violin": "1234",
    }
    clips = [clip for clip in read_manifest(manifest) if clip.label in captions]
    captioned = manifest.with_name("captioned.csv")
    write_manifest(captioned, [Clip(c.path, "", captions[c.label], 2.0, "train") for c in clips])
    assert_example(
        CaptionedMixtures(captioned, **SETTINGS, num_absent=1, seed=1)[0],
        [
            "a bell rings, a man talks and birds chirp while a car passes",
            "A dog barks while rain falls",
        ],
        [
            ["birds chirp", "a car passes", "a bell rings and a man talks"],
            ["a dog barks", "rain falls", "rain falls"],
        ],
        ["wind blows"],
        [0.14323981, 0.18764319, -0.11826839, -0.21032520],
        [
            "solo/audio/violin/train0_violin.wav",
            "solo/audio/violin/train1_violin.wav",
            "silent.wav",
        ],
    )
