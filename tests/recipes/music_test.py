"""The MUSIC recipe, from rendering to publishing and use, in the smallest size that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from ffmpeg_program import ffmpeg
from miniatures.music import render
from prepare import main as prepare_main

from asteroid_bimodal.cli import main as cli
from asteroid_bimodal.data.download.ledger import Row, open_ledger
from asteroid_bimodal.data.manifest import read_manifest
from asteroid_bimodal.data.pinned import read_test_list

RECIPE = Path(__file__).parents[2] / "egs" / "music"
SMALL = {
    "data.takes.train": 2,
    "data.takes.valid": 1,
    "data.takes.test": 1,
    "data.take_seconds": "[2.0,3.0]",
    "data.test_n_src": "[2,3]",
    "data.num_samples": 8160,
    "data.eval_samples": 16_320,
    "data.valid_items": 2,
    "data.test_items": 3,
    "data.epoch_size": 8,
    "masker.out_dim": 4,
    "masker.num_downs": 5,
    "masker.ngf": 4,
    "masker.num_heads": 2,
    "loss.crl.start": 0,
    "loss.cnt.start": 0,
    "training.epochs": 1,
    "training.batch_size": 4,
    "training.accelerator": "cpu",
    "training.precision": "32",
    "optim.lr": 1e-6,  # so that two steps round alike, however often they are shared out
}


def options(root: Path, **changes) -> list[str]:
    values = {**SMALL, "data.root": root, **changes}
    return [text for key, value in values.items() for text in (f"--{key}", str(value))]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", RECIPE / "run.sh", *map(str, arguments)],
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def prepare(stage: str, options: list[str]) -> None:
    prepare_main([stage, str(RECIPE), *options])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Where the recipe ran once, on a set with one broken clip."""
    root, exp = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("exp") / "tiny"
    takes = {split: SMALL[f"data.takes.{split}"] for split in ("train", "valid", "test")}
    render(root, takes=takes, seconds=(2.0, 3.0), num_workers=1)
    for path in list((root / "solo/audio/tuba").glob("train*.wav"))[:1]:
        path.write_bytes(b"")
    result = run("--exp", exp, *options(root))
    assert result.returncode == 0, result.stderr[-3000:]
    return root, exp, result


def test_every_stage_ran(folders):
    root, exp, result = folders
    assert [line for line in result.stdout.splitlines() if line.startswith("Stage")] == [
        "Stage 0: get the data",
        "Stage 1: manifests and pinned test lists",
        "Stage 2: text embeddings",
        "Stage 3: train",
        "Stage 4: evaluate",
        "Stage 5: report",
        "Stage 6: publish",
    ]
    assert len(read_manifest(root / "train.csv")) == 22
    lists = sorted(path.name.rsplit("_", 1)[0] for path in (root / "lists").iterdir())
    assert lists == ["test_2src_seed0", "test_3src_seed0", "valid_2src_seed0"]
    assert len(list((root / "embeddings").glob("*.safetensors"))) == 1
    names = {"conf.yml", "best_model.pth", "metrics.csv", "final_metrics.json", "report.html"}
    assert names <= {path.name for path in exp.iterdir()}


def test_metrics(folders):
    root, exp, _ = folders
    final = json.loads((exp / "final_metrics.json").read_text())
    (test_list,) = (root / "lists").glob("test_2src_*.csv")
    assert final["test_list"] == test_list.name and final["n_items"] == 3
    for metric in ("sdr", "sir", "sar", "si_sdr"):
        assert np.isfinite([final[metric], final[f"{metric}_imp"]]).all()
    rows = pd.read_csv(exp / "metrics.csv")
    labels = [source.label for item in read_test_list(test_list) for source in item.sources]
    assert rows["label"].tolist() == labels
    assert rows["sdr"].mean() == pytest.approx(final["sdr"], abs=1e-6)


def test_the_report_shows_everything(folders):
    _, exp, _ = folders
    page = (exp / "report.html").read_text()
    assert "<svg" in page and "<audio" in page and "data:image/png" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    skipped = pd.read_csv(exp / "skipped.csv")
    assert skipped["path"].str.startswith("solo/audio/tuba/train").all() and len(skipped) == 1
    assert skipped["path"][0] in page


def test_the_trained_model_separates(folders, tmp_path, capsys):
    root, exp, _ = folders
    clip = next((root / "solo/audio/violin").glob("test*.wav"))
    cli(["separate", str(clip), "violin", "acoustic guitar", "--model", str(exp)]
        + ["--out", str(tmp_path), "--residual", "--device", "cpu"])  # fmt: skip
    names = [f"{clip.stem}_{name}.wav" for name in ("violin", "acoustic_guitar", "residual")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    parts = [soundfile.read(tmp_path / name)[0] for name in names]
    np.testing.assert_allclose(sum(parts), soundfile.read(clip)[0], atol=1e-5)


def test_what_would_be_published(folders):
    _, exp, _ = folders
    published = {path.name for path in (exp / "publish_dir").iterdir()}
    assert {"model.safetensors", "config.json", "README.md"} <= published


def test_data_stages_do_only_what_is_missing(folders, capsys):
    root, _, _ = folders
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.suffix != ".csv"}
    for name in ("get_data", "draw_lists", "embed_texts"):
        prepare(name, ["--data", "mini", "--system", "bimodal_clap", *options(root)])
    after = {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.suffix != ".csv"}
    assert after == before
    assert "0 texts embedded" in capsys.readouterr().out


def test_a_trained_folder_is_left_alone(folders):
    root, exp, _ = folders
    before = {path: path.read_bytes() for path in exp.rglob("*") if path.is_file()}
    result = run("--exp", exp, "--stage", 3, "--stop_stage", 3, *options(root))
    assert result.returncode == 0 and "is trained already" in result.stdout
    result = run("--exp", exp, "--stage", 3, *options(root), "--lr", 0.5)
    assert result.returncode != 0
    assert "optim.lr 0.002 → 0.5\n" in result.stdout  # what options change is said
    assert result.stderr.strip().splitlines()[-1].startswith(f"Error: {exp} was trained already")
    assert {path: path.read_bytes() for path in exp.rglob("*") if path.is_file()} == before


def test_an_unknown_system_stops_the_recipe(tmp_path):
    result = run("--system", "clapsepp", "--exp", tmp_path / "exp", "--data.root", tmp_path / "d")
    assert result.returncode != 0 and "Traceback" not in result.stderr
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("Error: There is no system 'clapsepp'; choose audiosep, ")
    assert message.endswith(" Did you mean clapsep?")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage", "7"], "--stage takes a number from 0 to 6; received '7'"),
        (["--stage", "three"], "--stage takes a number from 0 to 6; received 'three'"),
        (["--stage=-1"], "--stage takes a number from 0 to 6; received '-1'"),
        (
            ["--stage", "4", "--stop_stage", "2"],
            "--stop_stage takes a number from 4 to 6",
        ),
        (["--n_src", "5"], "--n_src takes a number from 1 to 4; received '5'"),
        (["--test_n_src", "1"], "--test_n_src takes a number from 2 to 4; received '1'"),
        (["--tag"], "--tag needs a value"),
        (["train"], "'train' is no option"),
    ],
)
def test_options_that_do_not_exist(arguments, message):
    result = run(*arguments)
    assert result.returncode != 0 and not result.stdout
    assert message in result.stderr


def test_help():
    result = run("--help")
    assert result.returncode == 0 and not result.stderr
    assert "--stop_stage N" in result.stdout and "Stages: 0 get the data" in result.stdout


def test_the_full_set_needs_annotations_that_list_something(tmp_path):
    (tmp_path / "MUSIC_solo_videos.json").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        prepare("get_data", ["--data", "full", "--data.root", str(tmp_path)])


def test_lists_need_manifests(tmp_path):
    with pytest.raises(FileNotFoundError):
        prepare("draw_lists", ["--data", "mini", "--data.root", str(tmp_path)])


FULL = ["--data", "full", "--sample_rate", "8000", "--eval_samples", "8000", "--valid_items", "2"]
FULL += ["--test_items", "2", "--data.test_n_src", "[2]"]


@pytest.fixture
def full(tmp_path):
    """Twenty short videos of two instruments, one of them unreadable, one not downloaded."""
    ffmpeg()
    videos = {
        label: [f"{label[:2]}{n:02d}" for n in range(20)] for label in ("acoustic_guitar", "tuba")
    }
    rng = np.random.default_rng(0)
    for label, ids in videos.items():
        (tmp_path / "solo/audio" / label).mkdir(parents=True)
        for video in ids:
            path = tmp_path / "solo/audio" / label / f"{video}.wav"
            soundfile.write(path, 0.1 * rng.standard_normal(12_000), 8000)
    (tmp_path / "solo/audio/tuba/tu03.wav").write_bytes(b"")
    (tmp_path / "solo/audio/tuba/tu04.wav").unlink()
    (tmp_path / "MUSIC_solo_videos.json").write_text(json.dumps({"videos": videos}))
    with open_ledger(tmp_path) as ledger:  # so that nothing is looked for on the internet
        for video in ("tu03", "tu04"):
            path = f"solo/audio/tuba/{video}.wav"
            ledger.append(Row(path, video, 0.0, "gone", "Private video"))
    return tmp_path


def test_the_full_set_is_split_by_video(full, capsys):
    for name in ("get_data", "draw_lists"):
        prepare(name, [*FULL, "--data.root", str(full)])
    clips = {split: read_manifest(full / f"{split}.csv") for split in ("train", "valid", "test")}
    everything = [clip for split in clips.values() for clip in split]
    assert len(everything) == len({clip.path for clip in everything}) == 38
    guitars = [sum(c.label == "acoustic guitar" for c in clips[s]) for s in clips]
    assert guitars == [15, 2, 3]
    assert all((full / clip.path).is_file() and clip.seconds == 1.5 for clip in everything)
    printed = capsys.readouterr().out
    assert "38 of 40 clips are there; 2 gone, 0 failed: 5.0 % missing." in printed


def test_the_split_is_the_same_for_everybody(full):
    for name in ("get_data", "draw_lists"):
        prepare(name, [*FULL, "--data.root", str(full)])
    files = [full / f"{split}.csv" for split in ("train", "valid", "test")]
    files += sorted((full / "lists").iterdir())
    before = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    for name in ("get_data", "draw_lists"):
        prepare(name, [*FULL, "--data.root", str(full)])
    assert [path.read_bytes() for path in files] == before


def test_two_processes(folders, tmp_path):
    """Over gloo, on CPUs: it is the training that one process does."""
    root, alone, _ = folders
    changes = {"training.devices": 2}
    command = ["--exp", tmp_path / "exp", "--stage", 3, "--stop_stage", 3]
    result = run(*command, *options(root, **changes))
    assert result.returncode == 0, result.stderr[-3000:]
    run_json = json.loads((tmp_path / "exp/run.json").read_text())
    assert (run_json["num_devices"], run_json["steps"], run_json["step_examples"]) == (2, 2, 4)
    assert (tmp_path / "exp/best_model.pth").is_file()
    found, expected = (
        pd.read_csv(folder / "logs/version_0/metrics.csv").mean()
        for folder in (tmp_path / "exp", alone)
    )
    losses = ["loss_epoch", "train_url", "train_crl", "train_cnt"]
    assert found[losses].values == pytest.approx(expected[losses].values, rel=1e-3)
    assert found["val_sdr"] == pytest.approx(expected["val_sdr"], abs=0.05)
