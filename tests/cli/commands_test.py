"""What all commands have in common, and the small ones: example, completion, check --json -."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from shutil import which

import numpy as np
import pytest
import soundfile

from asteroid_bimodal import cli
from asteroid_bimodal.cli.parsing import count
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.models.pretrained import SHIPPED_MODELS
from asteroid_bimodal.utils.example import write_example

PARSER = cli.build_parser()
COMMANDS = next(
    action.choices for action in PARSER._actions if isinstance(action, argparse._SubParsersAction)
)


def ends(capsys, *argv):
    """Runs what ends the program; returns the exit code, and what was printed."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(arg) for arg in argv])
    return stopped.value.code, capsys.readouterr()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_an_example_that_parses(name, capsys):
    code, told = ends(capsys, name, "--help")
    _, _, examples = told.out.partition("\nexample")
    lines = [line.strip() for line in examples.splitlines()[1:]]
    assert code == 0 and lines and told.err == ""
    assert all(line.startswith("asteroid-bimodal ") for line in lines)
    for line in lines:
        words = line.split(" | ")[0].split(" < ")[0].split(" > ")[0].split()[1:]
        PARSER.parse_args([word.strip('"') for word in words])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_both_spellings_and_every_command_v(name):
    actions = COMMANDS[name]._actions
    spellings = [text for action in actions for text in action.option_strings]
    assert {"-v", "--verbose", "-h"} <= set(spellings)
    assert not any("_" in text for text in spellings)  # main turns all of them into dashes
    for text in spellings:
        if text.startswith("--"):
            assert cli._with_dashes([text.replace("-", "_").replace("__", "--", 1)]) == [text]


@pytest.mark.parametrize("name", COMMANDS)
def test_counts_are_whole_numbers_from_one_on(name):
    whole = {action.dest for action in COMMANDS[name]._actions if action.type is int}
    assert whole <= {"bits", "port", "seed"}
    assert count("12") == 12
    for text in ("0", "-1", "1.5", "many", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="whole number"):
            count(text)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["separate", "a.wav", "violin", "--batchsize", "2"], "Did you mean --batch-size?"),
        (["separate", "a.wav", "--blend", "bowed"], "a name and its parts"),
        (["evaluate", "exp", "--test_n_scr=3"], "Did you mean --test-n-src?"),
        (["report", "exp", "more"], "there is no argument more."),
        (["check", "data", "--xyz"], "there is no option --xyz."),
    ],
)
def test_a_wrong_option_is_answered_by_its_command(argv, message, capsys):
    code, told = ends(capsys, *argv)
    assert code == 2 and f"asteroid-bimodal {argv[0]}: error:" in told.err and message in told.err
    assert told.err.startswith(f"usage: asteroid-bimodal {argv[0]} ")


def test_the_example_is_written_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cli.main(["example"])
    cli.main(["example", "a.flac"])
    assert capsys.readouterr().out == "flute_and_xylophone.wav\na.flac\n"
    wav, rate = soundfile.read("flute_and_xylophone.wav")
    assert (rate, wav.shape) == (16000, (5 * 16000, 2)) and 0.1 < np.abs(wav).max() < 1
    np.testing.assert_allclose(soundfile.read("a.flac")[0], wav, atol=2**-15)
    code, _ = ends(capsys, "example")
    assert code == "asteroid-bimodal: flute_and_xylophone.wav exists already: name another file."
    code, _ = ends(capsys, "example", "duet")
    assert code == "asteroid-bimodal: duet has no suffix of an audio format, such as .wav."


def test_the_example_needs_no_demo_and_no_torch(tmp_path):
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("gradio", "matplotlib", "PIL", "torch")))
from asteroid_bimodal import cli
cli.main(["example", {str(tmp_path / "duet.wav")!r}])
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert soundfile.info(tmp_path / "duet.wav").duration == 5


def test_the_example_is_not_taken_for_an_output(tmp_path):
    from asteroid_bimodal.utils.own_sounds import is_ours

    assert not is_ours(write_example(tmp_path / "duet.wav"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell, capsys, tmp_path):
    pytest.importorskip("shtab")
    cli.main(["completion", shell])
    script = capsys.readouterr().out
    assert "separate" in script and "mini-events" not in script.splitlines()[0]
    assert all(name in script for name in ("skip-existing", "clip-timeout"))
    if shell != "tcsh" and which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_options_choices_and_files(capsys, tmp_path):
    pytest.importorskip("shtab")
    cli.main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    (tmp_path / "duet.wav").touch()
    cases = {
        "asteroid-bimodal sep": "separate",
        "asteroid-bimodal separate --resi": "--residual",
        "asteroid-bimodal separate --format fl": "flac",
        "asteroid-bimodal separate du": "duet.wav",
        "asteroid-bimodal separate --like du": "duet.wav",
    }
    for line, expected in cases.items():
        words = line.split()
        code = (
            f"source ./script; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
            '_shtab_asteroid_bimodal; echo "${COMPREPLY[@]}"'
        )
        found = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert expected in found.stdout.split(), (line, found.stdout, found.stderr)


def test_completion_without_shtab_names_the_extra(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, _ = ends(capsys, "completion", "bash")
    assert "shtab is not installed" in code and '"asteroid-bimodal[completion]"' in code


def test_check_prints_json(tone_set, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told = ends(capsys, "check", tone_set.root, "--json", "-")
    assert (code, told.err) == (1, "")  # each clip is in all three parts
    ends(capsys, "check", tone_set.root, "--json", "file.json")
    assert json.loads(told.out) == json.loads((tmp_path / "file.json").read_text())
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file.json"]


def test_models_says_what_each_knows(tmp_path, capsys):
    model = load_separator("mini", query_encoder=None, vocabulary={})
    model.origin = "AudioSep"
    model.save_pretrained(tmp_path / "any")
    load_separator("mini", vocabulary=None).save_pretrained(tmp_path / "unsaid")
    kinds = {"instruments": {"violin": ["fiddle"], "harp": []}, "speech": {"man speaking": []}}
    load_separator("mini", vocabulary=kinds).save_pretrained(tmp_path / "some")
    cli.main(["models", *(str(tmp_path / name) for name in ("any", "unsaid", "some"))])
    anything, unsaid, some = capsys.readouterr().out.split("\n\n")
    assert "8 kHz, 2,211,225 parameters, 8.8 MB, from AudioSep\n  It takes any word." in anything
    assert "It does not say which sounds it knows." in unsaid
    assert some.splitlines()[1:] == [
        "  2 instruments: violin (fiddle); harp",
        "  1 speech: man speaking",
    ]
    cli.main(["models", str(tmp_path / "some"), str(tmp_path / "any"), "--json"])
    some, anything = json.loads(capsys.readouterr().out)["models"]
    assert (some["vocabulary"], some["any_word"], some["sample_rate"]) == (kinds, False, 8000)
    assert (anything["vocabulary"], anything["any_word"], anything["origin"]) == (
        {},
        True,
        "AudioSep",
    )
    cli.main(["models"])
    listed = [block.split(":")[0] for block in capsys.readouterr().out.split("\n\n")]
    assert listed == list(SHIPPED_MODELS)
    code, _ = ends(capsys, "models", "minni")
    assert code.endswith("Did you mean 'mini'?")
