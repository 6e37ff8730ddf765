"""The command line: what it prints, its exit codes, and that help does not wait for torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import asteroid_bimodal
from asteroid_bimodal import __version__
from asteroid_bimodal.cli import main
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import ClapTextEncoder

CHECKPOINT = Path(__file__).parent / "fixtures" / "release" / "checkpoint_small.pth.tar"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    torch.manual_seed(0)
    encoder = ClapTextEncoder("mini")
    sizes = {"cond_dim": encoder.token_dim, "pooled_dim": encoder.pooled_dim, "num_heads": 2}
    model = BiModalUNet(8000, 126, 32, "mini", num_downs=5, ngf=2, out_dim=4, **sizes)
    folder = tmp_path_factory.mktemp("experiments") / "tiny"
    folder.mkdir()
    torch.save(model.serialize(), folder / "best_model.pth")
    return folder


@pytest.fixture
def duet(tmp_path):
    path = tmp_path / "duet.wav"
    audio = 0.1 * np.random.default_rng(0).standard_normal((2205, 2))
    soundfile.write(path, audio, 22050, subtype="FLOAT")
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def problem(capsys, *argv):
    """Runs a command that must fail; returns its one line."""
    with pytest.raises(SystemExit) as exit_info:
        main([str(arg) for arg in argv])
    message = exit_info.value.code
    if message == 1:  # printed as it went along
        message = capsys.readouterr().err.strip()
    assert isinstance(message, str) and message.startswith("asteroid-bimodal: ")
    assert "\n" not in message and "Traceback" not in message
    return message.removeprefix("asteroid-bimodal: ")


def test_separate_writes_one_file_for_each_query_and_the_rest(experiment, duet, capsys):
    main(
        ["separate", str(duet), "violin", "acoustic guitar", "--residual", "--device", "cpu"]
        + ["--model", str(experiment)]
    )
    expected = ["duet_violin.wav", "duet_acoustic_guitar.wav", "duet_residual.wav"]
    assert capsys.readouterr().out.split("\n")[:-1] == [str(duet.with_name(n)) for n in expected]
    tracks = [soundfile.read(duet.with_name(name), dtype="float32")[0] for name in expected]
    mixture = soundfile.read(duet, dtype="float32")[0]
    np.testing.assert_array_equal(tracks[2], mixture - (tracks[0] + tracks[1]))


def test_separate_a_folder_goes_on_after_a_bad_file(experiment, duet, tmp_path, capsys):
    (tmp_path / "bad.wav").write_text("no audio")
    out = tmp_path / "out"
    argv = ("separate", tmp_path, "violin", "--out", out, "--model", experiment / "best_model.pth")
    assert problem(capsys, *argv).startswith(f"{tmp_path}/bad.wav: Expected a wav")
    assert names(out) == ["duet_violin.wav"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["", "--model", "no/model"], "Expected queries of at least one word"),
        (["violin", "Violin"], "different file names"),
        (["violin", "--device", "gpu"], "Expected a device that is here"),
        (["violin", "--model", "nowhere"], "received 'nowhere'"),
        (["violin", "--model", "."], "best_model.pth"),
    ],
)
def test_separate_refuses_in_one_line_and_writes_nothing(duet, capsys, argv, expected, monkeypatch):
    monkeypatch.chdir(duet.parent)
    assert expected in problem(capsys, "separate", duet, *argv)
    assert names(duet.parent) == ["duet.wav"]


def test_separate_does_not_overwrite(experiment, duet, capsys):
    target = duet.with_name("duet_violin.wav")
    target.write_text("mine")
    argv = ["separate", str(duet), "violin", "--model", str(experiment), "--device", "cpu"]
    assert "--overwrite" in problem(capsys, *argv)
    assert target.read_text() == "mine"
    main([*argv, "--overwrite"])
    assert soundfile.info(target).frames == 2205


def test_missing_input_and_folder_without_audio(tmp_path, capsys):
    assert "found no audio" in problem(capsys, "separate", tmp_path / "no.wav", "violin")
    assert "found no audio" in problem(capsys, "separate", tmp_path, "violin")


def test_publish_dry_run_and_its_problems(experiment, tmp_path, capsys):
    main(["publish", str(experiment), "--dry-run", "--repo", "me/tiny"])
    assert capsys.readouterr().out.strip() == str(experiment / "publish_dir")
    assert "me/tiny" in (experiment / "publish_dir" / "README.md").read_text()
    assert "--repo user/name" in problem(capsys, "publish", experiment)
    assert "Train it first" in problem(capsys, "publish", tmp_path, "--dry-run")


def test_report_of_an_experiment_and_of_none(tmp_path, capsys):
    (tmp_path / "conf.yml").write_text("system: clapsep\n")
    main(["report", str(tmp_path)])
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    assert "found none at" in problem(capsys, "report", tmp_path / "missing")


def test_evaluate_asks_for_an_experiment(tmp_path, capsys):
    assert "conf.yml" in problem(capsys, "evaluate", tmp_path, "--test_n_src", 3)


def test_import_official_writes_a_model_once(tmp_path, capsys):
    checkpoint, out = CHECKPOINT, tmp_path / "out"
    main(["import-official", str(checkpoint), str(out)])
    assert capsys.readouterr().out.strip() == str(out)
    assert names(out) == ["config.json", "model.safetensors"]
    imported, expected = (
        model.state_dict()
        for model in (BiModalUNet.from_pretrained(out), BiModalUNet.from_official(checkpoint))
    )
    assert all(torch.equal(imported[key], expected[key]) for key in expected)
    assert "exists already" in problem(capsys, "import-official", checkpoint, out)


def test_import_official_refuses_other_files_and_writes_nothing(experiment, tmp_path, capsys):
    out = tmp_path / "out"
    for checkpoint in (tmp_path / "no.pth.tar", experiment / "best_model.pth"):
        assert "release" in problem(capsys, "import-official", checkpoint, out)
    # This one holds no CLAP.
    assert "CLAP" in problem(capsys, "import-official", CHECKPOINT, out, "--with-scorer")
    assert not out.exists()


@pytest.mark.parametrize("argv", [[], ["sing"], ["separate", "duet.wav"], ["separate"]])
def test_wrong_usage_exits_with_an_error(argv, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(argv)
    assert exit_info.value.code == 2
    assert "usage: asteroid-bimodal" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_help_does_not_import_torch():
    # By itself: a stand-in for the package, whose other parts may import what they like.
    script = f"""
import sys, types
package = types.ModuleType("asteroid_bimodal")
package.__path__, package.__version__ = {[str(Path(asteroid_bimodal.__file__).parent)]}, "0"
sys.modules["asteroid_bimodal"] = package
from asteroid_bimodal.cli import main
try:
    main(["separate", "--help"])
except SystemExit as done:
    sys.exit(done.code or ("torch" in sys.modules and "torch was imported"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "QUERY" in done.stdout and "--residual" in done.stdout
