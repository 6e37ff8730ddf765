"""Trains a tiny system on tones, and has a signal come at a chosen moment: a script for tests.

Usage: train_and_die.py ROOT EXP_DIR MOMENT SIGNAL CHANGES, where MOMENT is the name of one below
with its number, such as `step:3`, or `never`.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from asteroid_bimodal.engine import train as story
from asteroid_bimodal.engine.checkpoints import WholeFiles
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.engine.system import BiModalSystem

# Of each moment, the function whose call it is, and whether the signal comes after it.
MOMENTS = {
    "step": (BiModalSystem, "training_step", False),
    "stepped": (BiModalSystem, "on_before_optimizer_step", True),
    "validation": (BiModalSystem, "validation_step", False),
    "writing": (torch, "save", True),
    "written": (WholeFiles, "save_checkpoint", True),
    "export": (story, "_export_best", False),
    "exported": (story, "_write_run", False),
}


def inject(moment: str, number: int, sent: int) -> None:
    place, name, after = MOMENTS[moment]
    function, calls = getattr(place, name), 0

    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == number and not after:
            os.kill(os.getpid(), sent)
        result = function(*args, **kwargs)
        if calls == number and after:
            if moment == "writing":  # and half of it is there
                target = args[1] if isinstance(args[1], Path) else Path(args[1].name)
                if not isinstance(args[1], Path):
                    args[1].flush()
                os.truncate(target, target.stat().st_size // 2)
            os.kill(os.getpid(), sent)
        return result

    setattr(place, name, wrapped)


def tiny_conf(root: str, changes: dict):
    """As the fixture of tests/engine/conftest.py, which knows nothing but the set's folder."""
    spec = importlib.util.spec_from_file_location("tiny", Path(__file__).with_name("conftest.py"))
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return tiny.make_conf(SimpleNamespace(root=root), **changes)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    root, exp_dir, moment, name, changes = sys.argv[1:]
    conf = tiny_conf(root, json.loads(changes))
    if moment != "never":
        kind, number = moment.split(":")
        inject(kind, int(number), getattr(signal, name))
    run_script(lambda _: story.train(conf, exp_dir))
