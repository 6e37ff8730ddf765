"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import constants
from laion_clap import as_laion, tiny_clap
from PIL import Image
from published_weights import small_audiosep

from asteroid_bimodal import __version__
from asteroid_bimodal.cli import main
from asteroid_bimodal.models import BiModalUNet, CLIPSep
from asteroid_bimodal.queries import ClapTextEncoder, ClipImageEncoder
from asteroid_bimodal.separate import read_log
from asteroid_bimodal.utils.clap import MINI

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
    *estimates, residual, _ = capsys.readouterr().out.split("\n")
    for line, name in zip(estimates, expected, strict=False):
        assert re.fullmatch(rf"{re.escape(str(duet.with_name(name)))}  -?\d+\.\d dB", line)
    assert len(estimates) == 2 and residual == str(duet.with_name(expected[2]))
    tracks = [soundfile.read(duet.with_name(name), dtype="float32")[0] for name in expected]
    mixture = soundfile.read(duet, dtype="float32")[0]
    np.testing.assert_array_equal(tracks[2], mixture - (tracks[0] + tracks[1]))


def test_separate_in_bf16_is_nearly_the_same(experiment, duet, tmp_path):
    tracks = []
    for precision in ("32", "bf16"):
        out = tmp_path / precision
        options = ["--model", experiment, "--out", out, "--precision", precision]
        main([str(arg) for arg in ["separate", duet, "violin", *options]])
        tracks.append(soundfile.read(out / "duet_violin.wav")[0])
    exact, rounded = tracks
    error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.1


def test_separate_a_folder_goes_on_after_a_bad_file(experiment, duet, tmp_path, capsys):
    (tmp_path / "bad.wav").write_text("no audio")
    out = tmp_path / "out"
    argv = ("separate", tmp_path, "violin", "--out", out, "--model", experiment / "best_model.pth")
    bad = f"Cannot read {tmp_path}/bad.wav: it is no audio file, or a damaged one."
    assert problem(capsys, *argv) == bad
    assert names(out) == ["duet_violin.wav", "separated.csv"]
    assert {row.status for row in read_log(out / "separated.csv").values()} == {"ok", "failed"}
    assert problem(capsys, *argv, "--skip-existing") == bad
    assert {row.status for row in read_log(out / "separated.csv").values()} == {"skipped", "failed"}


def test_separate_takes_queries_of_every_kind_in_one_pass(experiment, duet, tmp_path):
    sample = tmp_path / "my sample.wav"
    soundfile.write(sample, np.random.default_rng(1).uniform(-1, 1, 16000), 16000)
    argv = ["separate", str(duet), "--model", str(experiment), "--device", "cpu", "violin"]
    argv += ["--like", str(sample), "--caption", "A man talks while a dog barks"]
    argv += ["--blend", "bowed", "violin:0.7", f"like={sample}:0.3", "--residual"]
    main([*argv, "--out", str(tmp_path / "out")])
    kinds = ["violin", "a_man_talks", "a_dog_barks", "my_sample", "bowed", "residual"]
    assert names(tmp_path / "out") == sorted(f"duet_{kind}.wav" for kind in kinds)
    tracks = [soundfile.read(path, dtype="float32")[0] for path in (tmp_path / "out").iterdir()]
    mixture = soundfile.read(duet, dtype="float32")[0]
    np.testing.assert_allclose(sum(tracks), mixture, atol=1e-4)


def test_separate_everything_but_some_sounds(experiment, duet, tmp_path, capsys):
    argv = ["separate", str(duet), "--model", str(experiment), "--device", "cpu"]
    main([*argv, "--without", "drums", "--without", f"like={duet}"])
    assert "duet_without_drums_duet.wav  -" in capsys.readouterr().out
    main([*argv, "violin", "--without", "drums", "--out", str(tmp_path / "out")])
    assert names(tmp_path / "out") == ["duet_violin_without_drums.wav"]


def test_separate_asks_with_pictures_where_the_model_can(experiment, duet, tmp_path, capsys):
    Image.new("RGB", (40, 30), (200, 30, 0)).save(tmp_path / "photo.png")
    encoder = ClipImageEncoder("mini")
    sizes = {"pooled_dim": encoder.pooled_dim, "num_downs": 5, "ngf": 2}
    model = CLIPSep(8000, 126, 32, str(encoder.spec), **sizes)
    torch.save(model.serialize(), tmp_path / "best_model.pth")
    argv = ["separate", str(duet), "--picture", str(tmp_path / "photo.png"), "--device", "cpu"]
    main([*argv, "--model", str(tmp_path / "best_model.pth"), "--out", str(tmp_path / "out")])
    assert names(tmp_path / "out") == ["duet_photo.wav"]
    assert "Expected texts for this model" in problem(capsys, *argv, "--model", experiment)


@pytest.mark.parametrize(
    "parts", [["violin"], ["violin:0.7", "cello"], ["violin:much"], ["violin:-1"]]
)
def test_separate_refuses_blends_without_weights(experiment, duet, capsys, parts):
    argv = ("separate", duet, "--model", experiment, "--blend", "bowed", *parts)
    assert "Expected" in problem(capsys, *argv)
    assert names(duet.parent) == ["duet.wav"]


def test_separate_bad_files_each_have_a_line_and_the_others_are_done(experiment, tmp_path, capsys):
    folder, audio = tmp_path / "in", 0.1 * np.random.default_rng(0).standard_normal(4000)
    folder.mkdir()
    for name, samples in {
        "empty": audio[:0],
        "one": audio[:1],
        "nan": audio * np.nan,
        "clipped": np.clip(99 * audio, -1, 1),
        "silent": 0 * audio,
        "good 'name' ü": audio,
        "hundred": np.stack([audio] * 100, 1),
    }.items():
        soundfile.write(folder / f"{name}.wav", samples, 8000, subtype="FLOAT")
    argv = ["separate", str(folder), "../vio/lin", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as exit_info:
        main([*argv, "--model", str(experiment), "--device", "cpu"])
    assert exit_info.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    for name, line in zip(("empty", "nan", "one"), lines, strict=True):
        assert line.startswith(f"asteroid-bimodal: {folder / name}.wav")
    good = [f"{name}_vio_lin.wav" for name in ("clipped", "good 'name' ü", "hundred", "silent")]
    assert names(tmp_path / "out") == sorted([*good, "separated.csv"])
    assert names(tmp_path) == ["in", "out"] and len(names(folder)) == 7


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["", "--model", "no/model"], "Expected queries of at least one word"),
        (["violin", "Violin"], "different file names"),
        (["violin", "--device", "gpu"], "There is no device 'gpu' here"),
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
    main([*argv, "--skip-existing"])
    assert f"{duet}  skipped" in capsys.readouterr().out
    assert target.read_text() == "mine"
    main([*argv, "--overwrite"])
    assert soundfile.info(target).frames == 2205
    assert names(duet.parent) == ["duet.wav", "duet_violin.wav"]


def test_missing_input_and_folder_without_audio(tmp_path, capsys):
    assert "no.wav does not exist" in problem(capsys, "separate", tmp_path / "no.wav", "violin")
    assert "no audio file in the folder" in problem(capsys, "separate", tmp_path, "violin")


@pytest.mark.parametrize("option", ["--batch_size", "--batch-size", "--batch_size=0"])
def test_options_take_dashes_and_underscores(tmp_path, capsys, option):
    value = [] if "=" in option else ["0"]
    with pytest.raises(SystemExit):
        main(["separate", str(tmp_path / "a.wav"), "violin", option, *value])
    assert "is not a whole number from 1 on" in capsys.readouterr().err


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
    for command in (["report"], ["check"], ["publish", "--dry-run"]):
        assert "There is no folder" in problem(capsys, *command, tmp_path / "missing")
    other = tmp_path / "Music"
    other.mkdir()
    assert f"{other} is no experiment" in problem(capsys, "report", other)
    assert not list(other.iterdir())


def test_evaluate_asks_for_an_experiment(tmp_path, capsys):
    assert "conf.yml" in problem(capsys, "evaluate", tmp_path, "--test_n_src", 3)


def test_import_writes_a_model_once(tmp_path, capsys):
    checkpoint, out = CHECKPOINT, tmp_path / "out"
    main(["import-official", str(checkpoint), str(out)])  # its name of before
    assert capsys.readouterr().out.strip() == str(out)
    assert names(out) == ["config.json", "model.safetensors"]
    imported, expected = (
        model.state_dict()
        for model in (BiModalUNet.from_pretrained(out), BiModalUNet.from_official(checkpoint))
    )
    assert all(torch.equal(imported[key], expected[key]) for key in expected)
    assert "exists already" in problem(capsys, "import", checkpoint, out)


def test_import_refuses_other_files_and_writes_nothing(experiment, tmp_path, capsys):
    out = tmp_path / "out"
    for checkpoint in (tmp_path / "no.pth.tar", experiment / "best_model.pth"):
        assert str(checkpoint) in problem(capsys, "import", checkpoint, out)
    # This one holds no CLAP.
    assert "CLAP" in problem(capsys, "import", CHECKPOINT, out, "--with-scorer")
    assert not out.exists()


def broken(path, state):
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class Payload:
    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def misshapen(path):
    state = small_audiosep()
    state["ss_model.base.after_conv.weight"] = torch.ones(3, 3, 1, 1)
    torch.save(state, path)


# Files as their authors host them, and what is none: how they are made; what is said of them as a
# model, and what when they are to be imported, None where an import succeeds.
RAW = {
    "AudioSep": (lambda path: torch.save(small_audiosep(), path), "CONVERT", "has an n_fft of 128"),
    "CLIPSep": (
        lambda path: torch.save({"module.sound_net.bn0.weight": torch.ones(1)}, path),
        "CONVERT",
        "Expected a checkpoint of CLIPSep",
    ),
    "the paper's release": (lambda path: shutil.copy(CHECKPOINT, path), "CONVERT", None),
    "CLAP": (lambda path: torch.save(as_laion(tiny_clap()), path), "is a CLAP", "is a CLAP"),
    "garbage": (lambda path: path.write_bytes(b"\x00\xff" * 99), "no PyTorch", "no PyTorch"),
    "truncated": (lambda path: broken(path, small_audiosep()), "a damaged one", "a damaged one"),
    "code": (
        lambda path: torch.save({"state_dict": {"a": Payload()}}, path),
        "nothing of it was run",
        "nothing of it was run",
    ),
    "misshapen": (misshapen, "CONVERT", "head.weight has shape"),
}


@pytest.mark.parametrize("name", RAW)
def test_a_published_file_is_told_what_it_is(name, duet, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, as_model, imported = RAW[name]
    path, before = tmp_path / "model.ckpt", names(tmp_path)
    write(path)
    message = problem(capsys, "separate", duet, "violin", "--model", path)
    if as_model == "CONVERT":
        kind = "AudioSep" if name == "misshapen" else name
        assert f"{path} is a checkpoint of {kind}: convert it with `asteroid-bimodal" in message
    else:
        assert as_model in message and str(path) in message
    if imported is not None:
        assert imported in problem(capsys, "import", path, tmp_path / "out")
    assert names(tmp_path) == sorted([*before, path.name])


def test_without_a_tokenizer_nothing_is_imported(duet, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    clap = {f"query_encoder.model.{key}": value for key, value in as_laion(tiny_clap()).items()}
    torch.save({**small_audiosep(pooled_dim=12), **clap}, tmp_path / "audiosep.ckpt")
    command = ["import", tmp_path / "audiosep.ckpt", tmp_path / "out"]
    command += ["--sample-rate", 8000, "--hop-length", 40]
    assert "folder of a copy of roberta-base's" in problem(capsys, *command)
    assert not (tmp_path / "out").exists()
    main([str(arg) for arg in [*command, "--tokenizer", MINI]])
    main(["separate", str(duet), "violin", "--model", str(tmp_path / "out")])
    assert (tmp_path / "duet_violin.wav").exists()


@pytest.mark.parametrize(
    "argv",
    [
        *([], ["sing"], ["separate", "duet.wav"], ["separate"]),
        ["separate", "duet.wav", "violin", "--overwrite", "--skip-existing"],
    ],
)
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
