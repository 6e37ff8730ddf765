"""separated.csv: a row for each input, whenever the batch is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pandas as pd
import pytest

from asteroid_bimodal.separate import LOG_NAME, LogRow, read_log, separate_files
from asteroid_bimodal.separate.log import BatchLog

COLUMNS = ["file", "status", "reason", "seconds", "outputs", "levels", "likelihoods"]


@pytest.fixture
def folder(tmp_path, write, noise):
    write(tmp_path / "in" / "a.wav", noise())
    (tmp_path / "in" / "b.wav").write_text("no audio")
    write(tmp_path / "in" / "c, \"d\" 'e'.wav", noise(3000))
    return tmp_path / "in"


def run(model, folder, **options):
    return separate_files(
        model, sorted(folder.iterdir()), ["violin"], out=folder.parent / "out", log=True, **options
    )


def test_every_input_has_a_row(model, folder):
    results = run(model, folder, residual=True)
    table = pd.read_csv(folder.parent / "out" / LOG_NAME, keep_default_na=False)
    assert list(table.columns) == COLUMNS
    assert list(table.file) == ["../in/a.wav", "../in/b.wav", "../in/c, \"d\" 'e'.wav"]
    assert list(table.status) == ["ok", "failed", "ok"]
    rows = read_log(folder.parent / "out" / LOG_NAME)
    row = rows["../in/a.wav"]
    assert row.outputs == ["a_violin.wav", "a_residual.wav"] and row.seconds > 0
    (level,) = row.levels.values()
    assert level == pytest.approx(
        results.scores[folder.parent / "out/a_violin.wav"].level, abs=0.01
    )
    assert not row.likelihoods  # of a model without calibration
    assert rows["../in/b.wav"].reason == results.failed[folder / "b.wav"]


def test_skipped_inputs_keep_what_is_known_of_them(model, folder, write, noise):
    run(model, folder)
    log = folder.parent / "out" / LOG_NAME
    before = read_log(log)
    write(folder / "b.wav", noise())
    results = run(model, folder, skip_existing=True)
    assert [path.name for path in results.written] == ["b_violin.wav"]
    after = read_log(log)
    assert [row.status for row in after.values()] == ["skipped", "ok", "skipped"]
    for file in ("../in/a.wav", "../in/c, \"d\" 'e'.wav"):
        assert after[file].levels == before[file].levels
        assert after[file].seconds == before[file].seconds
        assert after[file].reason == "finished before"
    assert len(log.read_text().splitlines()) == 4


def test_without_a_log_skipped_inputs_have_a_row_all_the_same(model, folder):
    run(model, folder)
    log = folder.parent / "out" / LOG_NAME
    log.unlink()
    run(model, folder, skip_existing=True)
    assert read_log(log)["../in/a.wav"].outputs == ["a_violin.wav"]


@pytest.mark.parametrize("cut", [2, 20, 60, 100])
def test_a_row_that_was_cut_off_is_dropped(tmp_path, cut):
    log = BatchLog(tmp_path)
    log.add(tmp_path / "a.wav", LogRow("ok", "", 1.5, ["a_violin.wav"], {"a_violin.wav": -0.5}))
    whole = log.path.stat().st_size
    log.add(tmp_path / "b.wav", LogRow("ok", "", 1.5, ["b_violin.wav"], {"b_violin.wav": -0.5}))
    size = log.path.stat().st_size
    os.truncate(log.path, max(whole, size - 1 - cut))
    row = LogRow("ok", "", 1.5, ["a_violin.wav"], {"a_violin.wav": -0.5}, file="a.wav")
    assert BatchLog(tmp_path).rows == {"a.wav": row}
    assert log.path.stat().st_size == whole


def test_rows_of_another_process_stay(tmp_path):
    """Two batches that write to one folder, each with its own inputs."""
    one, other = BatchLog(tmp_path), BatchLog(tmp_path)
    one.add(tmp_path / "a.wav", LogRow("ok"))
    other.add(tmp_path / "b.wav", LogRow("ok"))
    one.compact()
    other.compact()
    assert list(read_log(one.path)) == ["a.wav", "b.wav"]


def test_names_of_any_bytes_are_logged(tmp_path):
    log, path = BatchLog(tmp_path), tmp_path / os.fsdecode(b"fl\xfcte\n.wav")
    log.add(path, LogRow("failed", "why"))
    assert list(read_log(log.path)) == [path.name]


def test_another_file_of_that_name_is_not_replaced(model, folder):
    out = folder.parent / "out"
    out.mkdir()
    (out / LOG_NAME).write_text("my,table\n")
    results = run(model, folder)
    assert (
        "separated.csv is another file: its columns are not file, status"
        in results.failed[folder / "a.wav"]
    )
    assert (out / LOG_NAME).read_text() == "my,table\n" and not results.written


SEPARATE_ALL = """
import sys
from pathlib import Path
from tiny_model import HashedTexts, build_tiny
from asteroid_bimodal.separate import separate_files

model = build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())
files = [Path(name) for name in sys.argv[1:]]
separate_files(model, files, ["violin"], out=files[0].parents[1] / "out", log=True)
"""


def test_a_batch_that_is_killed_goes_on_where_it_was(model, tmp_path, write, noise):
    files = [write(tmp_path / "in" / f"{i:02}.wav", noise(12_000)) for i in range(20)]
    out = tmp_path / "out"

    paths = os.pathsep.join(sys.path)
    process = subprocess.Popen(
        [sys.executable, "-c", SEPARATE_ALL, *map(str, files)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    while len(read_log(out / LOG_NAME)) < 2:
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    done = read_log(out / LOG_NAME)
    assert 2 <= len(done) and {row.status for row in done.values()} == {"ok"}
    assert all((out / name).exists() for row in done.values() for name in row.outputs)
    results = run(model, tmp_path / "in", skip_existing=True)
    assert len(results.written) + len(results.skipped) == len(files) and not results.failed
    rows = read_log(out / LOG_NAME)
    assert len(rows) == len(files) == len((out / LOG_NAME).read_text().splitlines()) - 1
    assert all(rows[file].levels == row.levels for file, row in done.items())
    assert {path.suffix for path in out.iterdir() if not path.name.startswith(".")} == {
        ".wav",
        ".csv",
    }
