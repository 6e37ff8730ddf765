"""A signal to stop ends every command that writes with nothing half done, and its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal import cli
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import ClapTextEncoder

CHECKPOINT = Path(__file__).parent / "fixtures" / "release" / "checkpoint_small.pth.tar"
STOP = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    torch.manual_seed(0)
    encoder = ClapTextEncoder("mini")
    sizes = {"cond_dim": encoder.token_dim, "pooled_dim": encoder.pooled_dim, "num_heads": 2}
    model = BiModalUNet(8000, 126, 32, "mini", num_downs=5, ngf=2, out_dim=4, **sizes)
    folder = tmp_path_factory.mktemp("experiments") / "tiny"
    folder.mkdir()
    torch.save(model.serialize(), folder / "best_model.pth")
    (folder / "conf.yml").write_text("system: clapsep\n")
    soundfile.write(folder / "duet.wav", np.random.default_rng(0).uniform(-1, 1, 9000), 8000)
    return folder


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


COMMANDS = {
    "separate": ["separate", "{}/duet.wav", "violin", "--residual", "--model", "{}"],
    "report": ["report", "{}"],
    "publish": ["publish", "{}", "--dry-run"],
    "check": ["check", "{}", "--json", "{}/check.json"],
    "import-official": ["import-official", str(CHECKPOINT), "{}/out"],
}


@pytest.mark.parametrize("number", STOP)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_leaves_nothing_half_done(
    experiment, tone_set, monkeypatch, capsys, command, number
):
    """The signal comes when a file is written and not yet in its place."""
    folder = tone_set.root if command == "check" else experiment
    before, seen = files(folder), []

    def stop(*_):
        seen.append(len(files(folder)))
        try:
            os.kill(os.getpid(), number)
        finally:
            for later in STOP:  # while it tidies up
                os.kill(os.getpid(), later)

    monkeypatch.setattr(Path, "chmod", stop)
    with pytest.raises(SystemExit) as stopped:
        cli.main([argument.format(folder) for argument in COMMANDS[command]])
    assert stopped.value.code == 128 + number and seen[0] > len(before)
    assert capsys.readouterr().err.splitlines()[-1] == "asteroid-bimodal: stopped."
    assert files(folder) == before


SLOW = """
import sys, time
from tiny_model import HashedTexts, build_tiny
from asteroid_bimodal import cli, hub

model = build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())
mask = model.forward_masker
model.forward_masker = lambda *args: (time.sleep(1), mask(*args))[1]
hub.load_model = lambda *args: model
cli.main(["separate", sys.argv[1], "violin", "--residual", "--out", sys.argv[2]])
"""


def test_a_long_file_that_is_stopped_twice(tmp_path):
    path, out = tmp_path / "long.wav", tmp_path / "out"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 8000 * 600), 8000)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SLOW, str(path), str(out)]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    while not (out.is_dir() and len(os.listdir(out)) == 2):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    assert process.communicate()[1] == "asteroid-bimodal: stopped.\n"
    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGHUP)
    assert os.listdir(out) == []


TOGETHER = """
import sys
from tiny_model import HashedTexts, build_tiny
from asteroid_bimodal.separate import separate_files

model = build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    options = {"out": sys.argv[1], "overwrite": True, "log": True}
    found = separate_files(model, sys.argv[2:], ["violin"], **options)
    assert not found.failed, found.failed
"""


def test_two_processes_may_write_the_same(tmp_path):
    paths, out = [tmp_path / f"{number}.wav" for number in range(4)], tmp_path / "out"
    for path in paths:
        soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 8000), 8000)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TOGETHER, str(out), *map(str, paths)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env=env, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n")
    assert [process.returncode for process in processes] == [0, 0]
    names = [f"{number}_violin.wav" for number in range(4)]
    assert sorted(os.listdir(out)) == [*names, "separated.csv"]
    assert {soundfile.info(out / name).frames for name in names} == {8000}
    from asteroid_bimodal.separate import read_log

    assert {row.status for row in read_log(out / "separated.csv").values()} == {"ok"}
