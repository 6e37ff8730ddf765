"""Stages 0 to 2 on a set that "was downloaded"."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open

from asteroid_bimodal.data import download
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.download import Entry, Listing, Summary
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.pinned import read_test_list
from asteroid_bimodal.engine import prepare
from asteroid_bimodal.engine.loaders import build_train_loader, labels_of
from asteroid_bimodal.engine.prepare import download_set, draw_lists, embed_texts
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.queries import EncodedQuery, QueryEncoder, phrase_prompt

RECIPE = Path(__file__).parents[2] / "egs" / "vggsound"
AUDIOCAPS = RECIPE.parent / "audiocaps"
LABELS = ("raining", "bird chirping, tweeting", "dog barking", "thunder")
SMALL = ["--data", "full", "--sample_rate", "8000", "--num_samples", "4000", "--eval_samples"]
SMALL += ["4000", "--valid_items", "2", "--test_items", "2", "--data.test_n_src", "[2]"]
SMALL += ["--data.num_workers", "0", "--batch_size", "1", "--epoch_size", "2"]


def get_data(root, *extra) -> None:
    download_set(recipe_conf(RECIPE, [*SMALL, "--data.root", str(root), *extra]), "vggsound")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Stands for the downloader: notes its clips and writes those that it is told to."""
    entries = [
        Entry(f"audio/{split}{n}.flac", f"{split}{n}", 0.0, 10.0, label, (), split)
        for split in ("train", "valid", "test")
        for n, label in enumerate(LABELS)
    ]
    asked = {}

    def read_set(name, root, annotations=(), *, seed=0):
        asked["name"], asked["seed"] = name, seed
        download.clips.write_clips(root, entries)
        return Listing(entries, len(entries), [])

    fetch_really = download.download

    def fetch(entries, root, *, options, frames):
        asked["rate"], asked["frames"] = options.sample_rate, frames
        if asked.get("offline"):
            return fetch_really(entries, root, options=options, frames=frames, sleep=0.0)
        wanted = entries[: asked.get("reachable", len(entries))]
        for entry in wanted:
            path = Path(root) / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.linspace(-0.9, 0.9, 16_000), 8000)  # its level says when
        return Summary(len(wanted), 0, len(entries) - len(wanted), [])

    monkeypatch.setattr(download, "read_set", read_set)
    monkeypatch.setattr(download, "download", fetch)
    return asked


def test_a_full_set_is_fetched_and_listed(server, tmp_path, capsys):
    get_data(tmp_path)
    assert server == {"name": "vggsound", "seed": 0, "rate": 8000, "frames": False}
    assert [clip.label for clip in read_manifest(tmp_path / "train.csv")] == list(LABELS)
    assert "12 clips listed" in capsys.readouterr().out
    conf = recipe_conf(RECIPE, [*SMALL, "--data.root", str(tmp_path)])
    assert labels_of(conf) == sorted(LABELS)


def test_the_seed_of_a_run_moves_no_clip_to_another_split(server, tmp_path):
    get_data(tmp_path, "--seed", "3")
    assert server["seed"] == 0


def test_what_failed_is_tried_again(server, tmp_path, capsys):
    server["reachable"] = 6
    get_data(tmp_path)
    assert "tries the failed ones once more" in capsys.readouterr().out
    server["reachable"] = 12
    get_data(tmp_path)
    assert len(read_manifest(tmp_path / "test.csv")) == 4


@pytest.mark.parametrize("missing", [[], [4, 9], [0, 1, 2]])
def test_a_set_that_was_copied(server, tmp_path, capsys, monkeypatch, missing):
    """Where nothing can be fetched: all of it; all but a sixth; all but a fourth, too little."""
    get_data(tmp_path)
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.csv").unlink()
    clips = sorted((tmp_path / "audio").iterdir())
    for number in missing:
        clips[number].unlink()
    server["offline"] = True
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    options = ["--data.max_skipped", "0.2"]
    if len(missing) > 2:
        with pytest.raises(OSError, match="9 clips are there.*More than 20 % .*--stage 1"):
            get_data(tmp_path, *options)
    else:
        get_data(tmp_path, *options)
    told = capsys.readouterr()
    listed = [
        c.path for s in ("train", "valid", "test") for c in read_manifest(tmp_path / f"{s}.csv")
    ]
    assert sorted(listed) == sorted(f"audio/{p.name}" for p in (tmp_path / "audio").iterdir())
    assert f"{12 - len(missing)} of 12 clips are there" in told.out
    assert ("Warning: " in told.err) == (len(missing) == 2)


def test_nothing_fetched(server, tmp_path):
    server["reachable"] = 0
    with pytest.raises(FileNotFoundError, match="None of the clips of VGGSound .*--data mini"):
        get_data(tmp_path)


def test_crops_of_the_full_set_come_from_the_middle(server, tmp_path):
    get_data(tmp_path)
    options = [*SMALL, "--data.root", str(tmp_path)]
    draw_lists(recipe_conf(RECIPE, options))
    for path in (tmp_path / "lists").iterdir():
        starts = {source.start for item in read_test_list(path) for source in item.sources}
        assert starts == {0.75}
    chosen = [*options, "--n_src", "1"]
    dataset = build_train_loader(recipe_conf(RECIPE, chosen)).dataset
    for example in dataset:
        assert abs(float(example.mixtures.mean())) < 1e-3  # the ramp is zero in the middle
    settings = {"sample_rate": 8000, "num_samples": 4000, "num_sources": 1, "epoch_size": 4}
    anywhere = LabelledMixtures(tmp_path / "train.csv", **settings)
    assert max(abs(float(example.mixtures.mean())) for example in anywhere) > 0.02


def test_clips_that_lists_pass_over_are_named(server, tmp_path, capsys):
    get_data(tmp_path)
    broken = read_manifest(tmp_path / "test.csv")[0]
    (tmp_path / broken.path).write_bytes(b"no audio")
    draw_lists(recipe_conf(RECIPE, [*SMALL, "--data.root", str(tmp_path)]))
    assert f"Passed over: Cannot read {tmp_path / broken.path}" in capsys.readouterr().out


def test_lists_need_manifests(tmp_path):
    with pytest.raises(FileNotFoundError):
        draw_lists(recipe_conf(RECIPE, [*SMALL, "--data.root", str(tmp_path)]))


CAPTIONS = ("A dog barks", "Rain falls", "A bell rings", "Wind blows", "1234", "")


def natural(root, captions=CAPTIONS) -> list[str]:
    """Clips with captions alone; returns the options of their recipe."""
    for split in ("train", "valid", "test"):
        clips = [Clip(f"{split}{n}.wav", "", text, 2.0, split) for n, text in enumerate(captions)]
        for clip in clips:
            soundfile.write(root / clip.path, np.linspace(-0.9, 0.9, 16_000), 8000)
        write_manifest(root / f"{split}.csv", clips)
    return [*SMALL, "--data.root", str(root)]


def test_captions_that_name_no_sound_are_in_no_list(tmp_path, capsys):
    draw_lists(recipe_conf(AUDIOCAPS, natural(tmp_path)))
    told = capsys.readouterr().out
    for split in ("valid", "test"):
        (path,) = (tmp_path / "lists").glob(f"{split}_2src_*.csv")
        items = read_test_list(path)
        assert len(items) == 2
        assert {source.label for item in items for source in item.sources} <= set(CAPTIONS[:4])
        assert f"Passed over: {split}4.wav: Expected a caption that names a sound" in told
        assert f"2 of the 6 clips of {split}.csv were passed over." in told


def test_captions_that_name_no_sound_change_no_list(tmp_path):
    names = []
    for folder, captions in (("all", CAPTIONS[:4]), ("more", CAPTIONS)):
        (tmp_path / folder).mkdir()
        draw_lists(recipe_conf(AUDIOCAPS, natural(tmp_path / folder, captions)))
        names.append(sorted(path.name for path in (tmp_path / folder / "lists").iterdir()))
    assert names[0] == names[1]


def test_too_few_captions_name_a_sound(tmp_path):
    with pytest.raises(ValueError, match="Expected 2 .* received 1. .*valid2.wav: Expected a cap"):
        draw_lists(recipe_conf(AUDIOCAPS, natural(tmp_path, ("A dog barks", "1234", "..."))))


class Quick(QueryEncoder):
    """Embeds texts in no time; stops after so many."""

    token_dim = pooled_dim = 1
    left = 10**6

    def encode(self, queries):
        Quick.left -= len(queries)
        if Quick.left < 0:
            raise KeyboardInterrupt
        return [EncodedQuery(torch.ones(1, 1), torch.ones(1, dtype=torch.bool), torch.ones(1))] * (
            len(queries)
        )


def stored_texts(root, told) -> set[str]:
    """The texts in the one file of embeddings, whose number was told."""
    (path,) = (root / "embeddings").iterdir()
    with safe_open(path, "pt") as file:
        texts = json.loads(file.metadata()["texts"])
    assert f" texts embedded, {len(texts)} in " in told
    return set(texts)


@pytest.fixture
def many_labels(tmp_path, monkeypatch):
    """40 labels, and an encoder for them that keeps a hundred others of the texts it is asked."""

    def build(conf):
        encoder = Quick()
        encoder.cache.max_items = 100
        encoder.cache.load(prepare.embeddings_path(conf, encoder), encoder.fingerprint)
        return encoder

    monkeypatch.setattr(prepare, "build_query_encoder", build)
    monkeypatch.setattr(prepare, "MOST_TEXTS", 2000)
    monkeypatch.setattr(Quick, "left", 10**6)
    labels = [f"sound {number}" for number in range(40)]
    clips = [Clip(f"{label}.wav", label, "", 1.0, "train") for label in labels]
    write_manifest(tmp_path / "train.csv", clips)
    return labels


def test_prompts_stay_whatever_follows(many_labels, tmp_path, capsys):
    """More captions than a cache holds, then more than are embedded before they are drawn."""
    prompts = {phrase_prompt(label) for label in many_labels}
    conf = recipe_conf(RECIPE, [*SMALL, "--data.root", str(tmp_path), "--n_src", "2"])
    embed_texts(conf)
    texts = stored_texts(tmp_path, capsys.readouterr().out)
    assert len(texts) == 40 + 40 * 39 and prompts <= texts
    for n_src in ("2", "3"):
        embed_texts(recipe_conf(RECIPE, [*SMALL, "--data.root", str(tmp_path), "--n_src", n_src]))
        told = capsys.readouterr().out
        assert stored_texts(tmp_path, told) == texts and "0 texts embedded" in told
    assert "59,280 captions are more than 2,000: embedded when they are drawn." in told


def test_what_was_embedded_before_a_stop_stays(many_labels, tmp_path, capsys, monkeypatch):
    conf = recipe_conf(RECIPE, [*SMALL, "--data.root", str(tmp_path), "--n_src", "1"])
    monkeypatch.setattr(prepare, "_TEXTS_AT_A_TIME", 15)
    Quick.left = 35
    with pytest.raises(KeyboardInterrupt):
        embed_texts(conf)
    Quick.left = 10**6
    embed_texts(conf)
    told = capsys.readouterr().out
    assert "10 texts embedded, 40 in " in told and len(stored_texts(tmp_path, told)) == 40
