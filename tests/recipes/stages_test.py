"""Signals that reach a run script: its program saves, and no further stage follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "egs/music/run.sh"
# Stands for Python: checks nothing, trains by waiting to be told to stop, and says so.
PROGRAM = """#!{python}
import signal, sys, time
if sys.argv[1:2] == ["train.py"]:
    def stop(number, frame):
        print("saved", flush=True)
        sys.exit(128 + number)
    for number in {numbers}:
        signal.signal(number, stop)
    print("training", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGHUP"])
def test_a_stop_reaches_the_program_and_ends_the_script(tmp_path, name, everybody):
    program = tmp_path / "python"
    numbers = [int(signal.SIGTERM), int(signal.SIGUSR1), int(signal.SIGHUP)]
    program.write_text(PROGRAM.format(python=sys.executable, numbers=numbers))
    program.chmod(0o755)
    script = subprocess.Popen(
        ["bash", RUN, "--stage", "3", "--exp", tmp_path / "exp"],
        env={**os.environ, "PYTHON": str(program)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while script.stdout.readline() != "training\n":
        assert script.poll() is None
    (os.killpg if everybody else os.kill)(script.pid, getattr(signal, name))
    out, errors = script.communicate()
    assert out.startswith("saved") and "Stage 4" not in out
    assert errors == "Stopped in stage 3: the same command goes on from there.\n"
    # A terminal that closes is handed on as SIGTERM; the program may have heard of it before.
    assert script.returncode in (128 + getattr(signal, name), 128 + signal.SIGTERM)
