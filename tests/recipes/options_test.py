"""Options of the run scripts: checked before the first stage, whatever the stage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EGS = Path(__file__).parents[2] / "egs"


def run(script, *arguments, cwd=None, **environment):
    return subprocess.run(
        ["bash", EGS / script, *map(str, arguments)],
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        ("music/run.sh", 5),
        ("vggsound/run.sh", 0),
        ("mini_clap/run.sh", 2),
        ("mini_clip/run.sh", 1),
        ("shipped/run.sh", 2),
        ("music/asteroid_models/run.sh", 1),
    ],
)
def test_unknown_options_are_refused_at_every_stage(script, stage):
    result = run(script, "--stage", stage, "--bach-size", 3)
    assert result.returncode == 1 and "Stage" not in result.stdout
    assert result.stderr.rstrip().splitlines()[-1].startswith("Error: Unknown key 'bach_size'")


# Stands for Python: checks nothing, and says what it is asked.
ECHO = """#!{python}
import sys
if "check_options.py" not in sys.argv[1]:
    print(*sys.argv[1:])
"""


def test_what_stages_take_reaches_them(tmp_path):
    program = tmp_path / "python"
    program.write_text(ECHO.format(python=sys.executable))
    program.chmod(0o755)
    options = "--stage 4 --exp e --share --limit 3 --device=cpu --bundle-encoder --no_example true"
    options = [*options.split(), "--private", "false", "--license", "x"]
    told = run("music/run.sh", *options, PYTHON=program).stdout.splitlines()
    assert [line for line in told if line.startswith(("eval", "-m"))] == [
        "eval.py --exp_dir e --test_n_src 2 --share --limit 3 --device cpu",
        "-m asteroid_bimodal report e",
        "-m asteroid_bimodal publish e --license x --bundle-encoder --no-example --dry-run",
    ]


def test_a_grid_refuses_them_before_its_first_cell(tmp_path):
    result = run("music/grid.sh", "--bach-size", 3, "--exp", tmp_path / "exp")
    assert result.returncode == 1 and "Cell" not in result.stdout
    assert "Unknown key 'bach_size'" in result.stderr


def test_print_config_dashes_files_and_exported_variables(tmp_path):
    (tmp_path / "my.yml").write_text("optim: {weight_decay: 0.125}\nmasker: {ngf: 16}\n")
    options = ["--config", "my.yml", "--n-src", 3, "--lr", "3e-4", "--masker.num-heads=2"]
    result = run("music/run.sh", *options, "--print-config", cwd=tmp_path, lr="1", optimizer="2")
    assert result.returncode == 0, result.stderr
    for line in ("n_src: 3", "lr: 0.0003", "weight_decay: 0.125", "num_heads: 2", "ngf: 16"):
        assert f"  {line}\n" in result.stdout
    assert "Stage" not in result.stdout
