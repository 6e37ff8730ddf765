"""The environment that the run scripts make: without a compiler, or a sentence at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UTILS = ROOT / "egs/utils"


def requirements(extras: str, *packages: str) -> list[str]:
    command = [sys.executable, UTILS / "requirements.py", extras, *packages]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def names(lines: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}


def test_what_has_to_be_compiled_is_left_out():
    found = names(requirements("", "asteroid-bimodal", "asteroid", "pb_bss_eval"))
    assert {"torch", "transformers", "torch-stoi", "mir-eval", "cached-property"} <= found
    assert not found & {"pesq", "asteroid", "pb-bss-eval", "pytest", "ruff"}


def test_extras_are_those_that_were_asked_for():
    found = names(requirements("recipes,dev", "asteroid-bimodal"))
    assert {"midirenderer", "pytest", "ruff", "torch"} <= found and "numpy" not in found


def test_the_pinned_versions_are_those_of_the_package():
    (pinned,) = re.findall(r"alone=\((\S+)", (UTILS / "env.sh").read_text())
    assert pinned in (ROOT / "setup.cfg").read_text().split()


@pytest.fixture
def make_environment(tmp_path):
    """Sources env.sh in a repository without an environment, with programs of its own first."""
    shutil.copytree(UTILS, tmp_path / "repo/egs/utils")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("dirname", "awk"):
        (programs / name).symlink_to(shutil.which(name))

    def run(**scripts: str) -> subprocess.CompletedProcess:
        for name, script in scripts.items():
            (programs / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
            (programs / name).chmod(0o755)
        return subprocess.run(
            [shutil.which("bash"), tmp_path / "repo/egs/utils/env.sh"],
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
        )

    yield run
    assert not (tmp_path / "repo/.venv").exists()


@pytest.mark.parametrize("scripts", [{}, {"python3": "exit 1", "python3.11": "exit 127"}])
def test_no_python(make_environment, scripts):
    result = make_environment(**scripts)
    assert result.returncode == 1
    assert result.stderr == "There is no Python from 3.10 to 3.13 on the PATH.\n"


def test_a_python_without_venv(make_environment):
    """As on Debian without python3-venv."""
    python = '[[ "$*" == *ensurepip* ]] && exit 1; [[ "$1" == - ]] && exit 1; exit 0'
    result = make_environment(python3=python)
    assert result.returncode == 1
    assert (
        result.stderr.startswith("python3 has no venv module") and "python3-venv" in result.stderr
    )


@pytest.mark.parametrize(("machine", "needed"), [("x86_64", 8), ("aarch64", 2)])
def test_no_room(make_environment, machine, needed):
    result = make_environment(
        python3='[[ "$1" == - ]] && exit 1; exit 0',
        uname=f"echo {machine}",
        df="echo Filesystem; echo disk 9 9 1999999 9% /",
    )
    assert result.returncode == 1
    assert f"takes {needed} GB" in result.stderr and "has 1 GB left: make room" in result.stderr
