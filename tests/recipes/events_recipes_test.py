"""The recipes of VGGSound and AudioCaps, from rendering to a report, in the smallest size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prepare import main as prepare_main

from asteroid_bimodal.data.captioned import CaptionedMixtures, named_sounds
from asteroid_bimodal.data.manifest import read_manifest, write_manifest
from asteroid_bimodal.data.pinned import read_test_list
from asteroid_bimodal.engine.build import build_train_loader, encoder_spec
from asteroid_bimodal.engine.recipe import eval_main, recipe_conf, train_main
from asteroid_bimodal.queries import parse_caption
from asteroid_bimodal.report import write_report

EGS = Path(__file__).parents[2] / "egs"
SMALL = {
    "data.take_seconds": "[1.2,1.4]",
    "data.num_samples": 8160,
    "data.eval_samples": 8160,
    "data.valid_items": 2,
    "data.test_items": 3,
    "data.test_n_src": "[2]",
    "data.epoch_size": 4,
    "data.num_workers": 0,
    "query.clap": "mini",
    "scorer.name": "mini",
    "masker.out_dim": 4,
    "masker.num_downs": 5,
    "masker.ngf": 4,
    "masker.num_heads": 2,
    "loss.crl.start": 0,
    "loss.cnt.start": 0,
    "training.epochs": 1,
    "training.batch_size": 2,
    "training.accelerator": "cpu",
}
TAKES = {"vggsound": (1, 1, 1), "audiocaps": (10, 8, 14)}


def options(name: str, root: Path, **changes) -> list[str]:
    takes = zip(("train", "valid", "test"), TAKES[name], strict=True)
    values = {**SMALL, "data.root": root, **changes}
    values |= {f"data.takes.{split}": count for split, count in takes}
    return [text for key, value in values.items() for text in (f"--{key}", str(value))]


def prepare(name: str, stage: str, options: list[str]) -> None:
    prepare_main([stage, str(EGS / name), *options])


def run_recipe(name: str, root: Path, exp: Path, *extra: str) -> None:
    """Runs stages 0 to 5 in this process."""
    chosen = ["--data", "mini", *extra, *options(name, root)]
    for stage in ("get_data", "draw_lists", "embed_texts"):
        prepare(name, stage, chosen)
    train_main(EGS / name, ["--exp_dir", str(exp), *chosen])
    eval_main(EGS / name, ["--exp_dir", str(exp), "--device", "cpu"])
    write_report(exp)


@pytest.fixture(scope="module", params=["vggsound", "audiocaps"])
def finished(request, tmp_path_factory):
    """Where a recipe ran once."""
    root, exp = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("exp") / "tiny"
    run_recipe(request.param, root, exp)
    return request.param, root, exp


def test_what_a_recipe_leaves(finished):
    name, root, exp = finished
    splits = ("train", "valid", "test")
    clips = [read_manifest(root / f"{split}.csv") for split in splits]
    per_take = 1 if name == "audiocaps" else len({clip.label for clip in clips[0]})
    assert [len(rows) for rows in clips] == [per_take * count for count in TAKES[name]]
    lists = sorted(path.name.rsplit("_", 1)[0] for path in (root / "lists").iterdir())
    assert lists == ["test_2src_seed0", "valid_2src_seed0"]
    names = {"conf.yml", "best_model.pth", "metrics.csv", "final_metrics.json", "report.html"}
    assert names <= {path.name for path in exp.iterdir()}
    assert not pd.read_csv(exp / "skipped.csv")["reason"].str.contains("Cannot").any()


def test_metrics(finished):
    name, root, exp = finished
    final = json.loads((exp / "final_metrics.json").read_text())
    (test_list,) = (root / "lists").glob("test_2src_*.csv")
    assert final["test_list"] == test_list.name and final["n_items"] == 3
    assert np.isfinite([final["sdr"], final["sdr_imp"], final["sir"], final["sar"]]).all()
    phrases = pd.read_csv(exp / "metrics.csv")["phrase"].tolist()
    labels = [source.label for item in read_test_list(test_list) for source in item.sources]
    prompt = "{}" if name == "audiocaps" else "The sound of {}"
    assert phrases == [prompt.format(label) for label in labels]


def test_stages_do_only_what_is_missing(finished, capsys):
    name, root, _ = finished
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.suffix != ".csv"}
    for stage in ("get_data", "draw_lists", "embed_texts"):
        prepare(name, stage, ["--data", "mini", *options(name, root)])
    after = {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.suffix != ".csv"}
    assert after == before and "0 texts embedded" in capsys.readouterr().out


def test_test_mixtures_of_natural_clips_name_no_sound_twice(tmp_path):
    chosen = ["--data", "mini", *options("audiocaps", tmp_path)]
    for stage in ("get_data", "draw_lists"):
        prepare("audiocaps", stage, chosen)
    (test_list,) = (tmp_path / "lists").glob("test_2src_*.csv")
    captions = {clip.path: clip.caption for clip in read_manifest(tmp_path / "test.csv")}
    for item in read_test_list(test_list):
        first, second = (named_sounds(source.label) for source in item.sources)
        assert not first & second
        assert all(captions[source.path] == source.label for source in item.sources)


def test_clips_that_all_sound_the_same_make_no_test(tmp_path):
    chosen = ["--data", "mini", *options("audiocaps", tmp_path)]
    prepare("audiocaps", "get_data", chosen)
    clips = read_manifest(tmp_path / "valid.csv")[:2]
    captions = ("A dog barks", "Dogs are barking loudly")
    same = [replace(clip, caption=text) for clip, text in zip(clips, captions, strict=True)]
    write_manifest(tmp_path / "valid.csv", same)
    with pytest.raises(
        ValueError, match="Expected 2 valid mixtures .* found 0. Lower --data.valid"
    ):
        prepare("audiocaps", "draw_lists", chosen)


@pytest.fixture
def both(tmp_path):
    for name in TAKES:
        prepare(name, "get_data", ["--data", "mini", *options(name, tmp_path / name)])
    return tmp_path


def test_natural_mixtures_beside_single_sources_of_another_set(both):
    extra = {"data.clean.root": both / "vggsound", "data.clean.share": 1.0}
    chosen = options("audiocaps", both / "audiocaps", **extra)
    conf = recipe_conf(EGS / "audiocaps", ["--system", "bimodal_semi", *chosen])
    batch = next(iter(build_train_loader(conf)))
    assert batch.mixed.mixtures.shape == batch.clean.mixtures.shape == (2, 2, 8160)
    assert batch.mixed.phrase_weights.shape == (2, 2, 3)
    assert batch.clean.phrase_weights.shape == (2, 2, 1)
    for captions, phrases in zip(batch.mixed.captions, batch.mixed.phrases, strict=True):
        for caption, texts in zip(captions, phrases, strict=True):
            assert set(" and ".join(texts).split(" and ")) >= set(parse_caption(caption)[:1])
    assert batch.clean.captions[0][0].startswith("The sound of ")


def test_captions_have_no_single_sources_of_their_own(both):
    chosen = options("audiocaps", both / "audiocaps", **{"data.clean.root": ""})
    conf = recipe_conf(EGS / "audiocaps", ["--system", "bimodal_semi", *chosen])
    with pytest.raises(ValueError, match=r"set data.clean.root to its folder"):
        build_train_loader(conf)


def test_clips_with_captions(both):
    conf = recipe_conf(EGS / "audiocaps", options("audiocaps", both / "audiocaps"))
    assert isinstance(build_train_loader(conf).dataset, CaptionedMixtures)


def test_the_paper_configurations():
    vggsound = recipe_conf(EGS / "vggsound", ["--data", "full"])
    assert (vggsound.data.name, vggsound.data.centred) == ("VGGSound", True)
    assert (vggsound.data.sample_rate, vggsound.data.num_samples) == (16_000, 131_070)
    audiocaps = recipe_conf(EGS / "audiocaps", ["--data", "full"])
    assert (audiocaps.data.captioned, audiocaps.data.num_phrases) == (True, 3)
    assert list(audiocaps.data.test_n_src) == [2] and not audiocaps.data.rendered
    for conf in (vggsound, audiocaps):
        assert str(encoder_spec(conf)) == "laion/clap-htsat-unfused"
        assert (conf.masker.num_downs, conf.masker.ngf, conf.training.batch_size) == (7, 64, 16)


@pytest.mark.parametrize("name", list(TAKES))
def test_what_a_recipe_leaves_out_is_as_in_music(name):
    conf = recipe_conf(EGS / name, [])
    music = recipe_conf(EGS / "music", [])
    assert {**conf.masker, "head_scale": 0.18} == music.masker and conf.optim == music.optim
    assert str(encoder_spec(conf)) == "mini-events" and conf.scorer.name == "mini-events"
    assert Path(conf.data.root).resolve() == EGS / name / "data/mini"


@pytest.mark.parametrize("name", list(TAKES))
def test_run_sh(name):
    run = partial(
        subprocess.run,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    told = run(["bash", EGS / name / "run.sh", "--help"])
    assert told.returncode == 0 and "Stages: 0 get the data" in told.stdout
    refused = run(["bash", EGS / name / "run.sh", "--stage", "7"])
    assert refused.returncode != 0 and "--stage takes a number from 0 to 6" in refused.stderr
