"""A grid of tiny cells: killed, started again, one cell failing, one taken, one finished."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "egs" / "music"
SMALL = {
    "stage": 3,  # the tones are there, and training embeds what is missing
    "data.num_samples": 4080,
    "data.eval_samples": 8000,
    "data.epoch_size": 4,
    "data.num_workers": 0,
    "masker.out_dim": 4,
    "masker.num_downs": 5,
    "masker.ngf": 4,
    "masker.num_heads": 2,
    "training.epochs": 4,
    "training.batch_size": 4,
    "training.accelerator": "cpu",
}
ENV = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}


def run(*arguments) -> subprocess.CompletedProcess:
    command = ["bash", RECIPE / "grid.sh", *map(str, arguments)]
    return subprocess.run(command, env=ENV, capture_output=True, text=True)


def kill_in_training(command: list, exp: Path) -> None:
    """Starts a grid and ends all its processes once an experiment has its first checkpoint."""
    process = subprocess.Popen(
        command, env=ENV, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while not (exp / "checkpoints/last.ckpt").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def grid(tmp_path_factory, tone_set):
    """Folders of a grid that was killed while it trained, and what it said when started again."""
    folder = tmp_path_factory.mktemp("grid")
    exp, results = folder / "exp", folder / "results"
    done, taken = exp / "mini_clapsep_1src_seed0", exp / "mini_clapsep_3src_seed0"
    done.mkdir(parents=True)
    (done / "final_metrics.json").write_text("{}")
    options = [text for key, value in SMALL.items() for text in (f"--{key}", str(value))]
    options += ["--data.root", tone_set.root, "--exp", exp, "--results", results]
    cells = "clapsep:1 clapsep:2:stage=9 clapsep:2:data.share=0.5 clapsep:3"
    command = ["--cells", cells, *options]
    kill_in_training(
        ["bash", RECIPE / "grid.sh", *command], exp / "mini_clapsep_2src_seed0_data.share=0.5"
    )
    assert not results.exists()
    taken.mkdir()
    with (taken / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return exp, results, run(*command)


def test_every_cell_has_its_line(grid):
    lines = [line for line in grid[2].stdout.splitlines() if line.startswith("Cell")]
    assert lines == [
        "Cell 1 of 4: mini_clapsep_1src_seed0 is finished, skipped",
        "Cell 2 of 4: mini_clapsep_2src_seed0_stage=9",
        "Cell 3 of 4: mini_clapsep_2src_seed0_data.share=0.5",
        "Cell 4 of 4: mini_clapsep_3src_seed0",
    ]


def test_a_failing_cell_is_told_and_the_others_run(grid):
    exp, _, result = grid
    assert result.returncode == 1
    assert "--stage takes a number from 0 to 6; received '9'" in result.stderr
    assert result.stderr.rstrip().endswith("Failed:\n  mini_clapsep_2src_seed0_stage=9")
    assert (exp / "mini_clapsep_2src_seed0_data.share=0.5/report.html").is_file()


def test_an_interrupted_cell_goes_on(grid):
    exp, _, result = grid
    assert "was interrupted and goes on from " in result.stdout, result.stderr
    run_json = json.loads((exp / "mini_clapsep_2src_seed0_data.share=0.5/run.json").read_text())
    assert (run_json["steps"], run_json["epochs"]) == (4, 4)
    assert "--data.share 0.5" in run_json["command"] and "commit" in run_json


def test_a_cell_of_another_process_is_left_to_it(grid):
    exp, _, result = grid
    assert "mini_clapsep_3src_seed0 is in the hands of another process" in result.stdout
    assert [path.name for path in (exp / "mini_clapsep_3src_seed0").iterdir()] == [".lock"]


def test_results_are_collected(grid):
    _, results, result = grid
    assert "Results collected: " in result.stdout
    facts = json.loads((results / "music_mini.json").read_text())
    (group,) = facts["groups"]
    assert (group["system"], group["n_src"], group["single_share"]) == ("clapsep", 2, 0.0)
    assert (group["mixture_share"], group["options"]) == (0.5, ["data.share=0.5"])
    (cell,) = group["cells"]
    assert cell["n_items"] == 3 and cell["training_parts"] == 2
    assert len(facts["unreadable"]) == 1 and "mini_clapsep_1src_seed0" in facts["unreadable"][0]
    assert (results / "music_mini_sources.svg").is_file()


def test_finished_cells_are_scored_on_recordings_once(grid, tone_set, tmp_path):
    exp, manifest = grid[0], tmp_path / "manifest.csv"
    clips = {label: next(tone_set.root.rglob(f"{label}/*.wav")) for label in ("violin", "flute")}
    lines = [f"{os.path.relpath(clip, tmp_path)},{label}" for label, clip in clips.items()]
    manifest.write_text("path,label\n" + "\n".join(lines))
    command = ["--cells", "clapsep:2:data.share=0.5", "--exp", exp, "--results", tmp_path]
    result = run(*command, "--recordings", manifest)
    assert result.returncode == 0, result.stderr
    scores = exp / "mini_clapsep_2src_seed0_data.share=0.5/real_pairs.csv"
    written = scores.stat().st_mtime_ns
    assert "## Pairs of real recordings" in (tmp_path / "music_mini.md").read_text()
    run(*command, "--recordings", manifest)
    assert scores.stat().st_mtime_ns == written
    scores.unlink()


def test_results_have_the_scores_of_cells_that_were_finished_before(tmp_path, monkeypatch):
    """Also where a cell before them, whose results are collected at once, was not."""
    scores = tmp_path / "exp/mini_clapsep_2src_seed0/real_pairs.csv"
    scores.parent.mkdir(parents=True)
    scores.with_name("final_metrics.json").write_text("{}")
    manifest = tmp_path / "my recordings.csv"  # its paths are relative to the link
    (tmp_path / "elsewhere.csv").touch()
    manifest.symlink_to("elsewhere.csv")
    python = tmp_path / "python"  # does nothing else
    python.write_text(
        "#!/bin/bash\n"
        'case "$*" in\n'
        '  *"/my recordings.csv --model "*) touch "${@: -1}" ;;\n'
        f'  *collect_results.py*) [ -f "{scores}" ] && echo all || echo some ;;\n'
        "esac\n"
    )
    python.chmod(0o755)
    monkeypatch.setitem(ENV, "PYTHON", str(python))
    cells = ("--cells", "clapsep:1:stage=5 clapsep:2", "--exp", tmp_path / "exp")
    result = run(*cells, "--recordings", os.path.relpath(manifest))
    assert result.returncode == 0, result.stderr
    told = result.stdout.splitlines()
    assert [line for line in told if line in ("all", "some")] == ["some", "all"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cells", "clapsep"], "--cells takes cells such as clapsep:2 or .*; received 'clapsep'"),
        (["--cells", "clapsep:2 clapsep:5"], "received 'clapsep:5'"),
        (["--cells", "clapsep:2:lr"], "received 'clapsep:2:lr'"),
        (["--cells", "../x:2"], "received '../x:2'"),
        (["--cells", " "], "--cells and --seeds name no cell"),
        (["--seeds", "0 one"], "--seeds takes a list such as \"0 1 2\"; received 'one'"),
        (["--system", "clapsep"], "Give --cells and --seeds instead of --system"),
        (["--n-src", "2"], "Give --cells and --seeds instead of --n_src"),
        (["--tag", "x"], "--tag cannot be given: every cell has its own folder"),
        (["--recordings", "nofile.csv"], "--recordings nofile.csv does not exist"),
        (["--test_n_src", "9"], "--test_n_src takes a number from 2 to 4; received '9'"),
    ],
)
def test_lists_that_make_no_sense(arguments, message, tmp_path):
    result = run(*arguments, "--exp", tmp_path / "exp")
    assert result.returncode == 1 and not result.stdout
    assert re.search(message, result.stderr), result.stderr
    assert not any(tmp_path.iterdir())


def test_help():
    result = run("--help")
    assert result.returncode == 0 and "A cell is SYSTEM:N_SRC" in result.stdout
