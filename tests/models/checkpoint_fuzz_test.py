"""Saved models with random faults: loaded, or refused by a ValueError, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import build_tiny

NUMBER = 400
VALUES = [
    None,
    -1,
    0,
    1e308,
    10**9,
    65536,
    "",
    "x" * 1000,
    [],
    {},
    [[1]],
    True,
    "mini",
    "outputs:9",
]
SCRIPT = """
import json, resource, sys, warnings
from asteroid_bimodal.models import BiModalUNet, load_separator
warnings.simplefilter("ignore")
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 3 * 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
counts = {"loaded": 0, "refused": 0}
for path in sys.stdin.read().splitlines():
    for load in (load_separator, BiModalUNet.from_official):
        try:
            load(path)
            counts["loaded"] += 1
        except ValueError as error:
            assert "\\n" not in str(error) and len(str(error)) < 3000, (path, str(error))
            counts["refused"] += 1
        except BaseException:
            print(path, file=sys.stderr)
            raise
print(json.dumps({**counts, "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""


def damaged(content, rng):
    """Bytes changed, cut off, left out, doubled, or filled."""
    content = bytearray(content)
    # Headers are where a reader is led astray.
    places = rng.integers(0, rng.choice([64, 2000, len(content)]), rng.integers(1, 9))
    for place in np.minimum(places, len(content) - 1):
        content[place] = rng.integers(256)
    start, length = rng.integers(len(content)), rng.integers(1, 200)
    kind = rng.integers(6)
    if kind == 0:
        del content[start:]
    elif kind == 1:
        del content[start : start + length]
    elif kind == 2:
        content[start:start] = content[start : start + length]
    elif kind == 3:
        content[start : start + length] = b"\xff" * length
    return bytes(content)


def wild(config, rng):
    """A value, or a whole section, of a configuration that is another."""
    config = json.loads(json.dumps(config))
    where = config if rng.integers(4) == 0 else config["model_args"]
    for key in rng.choice(sorted(where), rng.integers(1, 3)):
        where[key] = VALUES[rng.integers(len(VALUES))]
    return config


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory by /proc")
def test_random_faults_in_saved_models(tmp_path):
    rng = np.random.default_rng(0)
    model = build_tiny(query_encoder="mini", cond_dim=128, pooled_dim=128)
    whole = tmp_path / "whole"
    model.save_pretrained(whole)
    torch.save(model.serialize(), tmp_path / "new.pth")
    torch.save(model.serialize(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    config = json.loads((whole / "config.json").read_text())
    paths = []
    for number in range(NUMBER):
        folder = tmp_path / str(number)
        folder.mkdir()
        kind, target = number % 5, folder / "model.pth"
        if kind in (0, 1):
            target.write_bytes(damaged((tmp_path / ("new.pth", "old.pth")[kind]).read_bytes(), rng))
        elif kind == 2:
            package = wild({k: v for k, v in model.serialize().items() if k != "state_dict"}, rng)
            torch.save({**package, "state_dict": model.state_dict()}, target)
        else:
            target = folder / "model.safetensors"
            weights, text = (
                (whole / "model.safetensors").read_bytes(),
                json.dumps(wild(config, rng)),
            )
            if kind == 3:
                weights, text = damaged(weights, rng), (whole / "config.json").read_text()
            elif rng.integers(2):
                text = damaged(text.encode(), rng).decode("latin-1")
            target.write_bytes(weights)
            (folder / "config.json").write_text(text)
        paths.append(str(target))
    before = sorted(path for path in tmp_path.rglob("*"))
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    counts = json.loads(run.stdout)
    assert counts["refused"] > NUMBER and counts["MB"] < 2000
    assert sorted(path for path in tmp_path.rglob("*")) == before
