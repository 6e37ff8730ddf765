"""Full disks and limits of size: every writer says so in a sentence, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WRITE = """
import json, os, resource, sys, warnings
from pathlib import Path
import numpy as np, soundfile, torch
from tiny_model import HashedTexts, build_tiny
from asteroid_bimodal.data.manifest import Clip, write_manifest
from asteroid_bimodal.data.prepare import prepare_audio
from asteroid_bimodal.metrics import write_json
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.separate import separate_files
from asteroid_bimodal.separate.log import BatchLog, LogRow
from asteroid_bimodal.utils.files import atomic_write
from asteroid_bimodal.utils.folders import atomic_folder

source, room, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
noise = 0.1 * np.random.default_rng(0).standard_normal(400_000)
soundfile.write(source / "long.wav", noise, 8000, "FLOAT")
model = build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())
sizes = {"cond_dim": 2, "pooled_dim": 2, "num_heads": 1, "num_downs": 5, "ngf": 16, "out_dim": 4}
labelled = BiModalUNet(8000, 126, 32, "labels:violin,flute", **sizes)
result = model.separate(source / "long.wav", ["violin"])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

def separate():
    found = separate_files(model, [source / "long.wav"], ["violin", "flute"], out=room)
    raise OSError(found.failed[source / "long.wav"])

def folder():
    with atomic_folder(room / "saved") as scratch:
        for name, size in (("small", 9), ("large", 10**6)):
            try:
                (scratch / name).write_bytes(bytes(size))
            except OSError:
                raise RuntimeError("an error of a library in C") from None

def log():
    log = BatchLog(room)
    while True:
        log.add(room / "a.wav", LogRow("failed", "why" * 10**4))

def torch_save():
    with atomic_write(room / "a.pth") as temporary:
        torch.save({"a": torch.randn(300_000)}, temporary)

writers = {
    "separate": separate,
    "result": lambda: result.save(room),
    "flac": lambda: result.save(room, "flac"),
    "prepare": lambda: prepare_audio(source, room, sample_rate=8000),
    "save_pretrained": lambda: labelled.save_pretrained(room),
    "torch": torch_save,
    "json": lambda: write_json({"a": "b" * 10**6}, room / "a.json"),
    "manifest": lambda: write_manifest(room / "a.csv", [Clip("a" * 10**6, "", "", 1.0, "train")]),
    "folder": folder,
    "log": log,
}
for name, write in writers.items():
    try:
        write()
        said = "nothing"
    except OSError as error:
        said = str(error)
    left = [str(path.relative_to(room)) for path in room.rglob("*") if path.name != "separated.csv"]
    print("TOLD", json.dumps([name, said, left]))
    for path in room.iterdir():
        path.unlink()
"""


def run(tmp_path, limit, before=()):
    source, room = tmp_path / "source", tmp_path / "room"
    source.mkdir()
    room.mkdir()
    command = [*before, sys.executable, "-c", WRITE, str(source), str(room), str(limit)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    lines = [line[5:] for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    if not lines and before:
        pytest.skip("this system does not let us mount a small disk")
    assert done.returncode == 0, done.stderr
    return room, {name: (said, left) for name, said, left in map(json.loads, lines)}


def test_a_limit_of_size(tmp_path):
    room, told = run(tmp_path, 100_000)
    assert len(told) == 10
    for name, (said, left) in told.items():
        assert said.startswith(f"A file in {room}") and "`ulimit -f`" in said, (name, said)
        assert not left, name


def test_a_full_disk(tmp_path):
    mount = 'mount -t tmpfs -o size=300k none "$5" && exec "$@"'
    room, told = run(tmp_path, 0, ["unshare", "-rm", "sh", "-c", mount, "sh"])
    assert len(told) == 10
    for name, (said, left) in told.items():
        assert said.startswith(f"There is no room in {room}"), (name, said)
        assert "choose another folder" in said and not left, name
