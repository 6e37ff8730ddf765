"""`asteroid-bimodal separate`: several inputs, pipes, formats, and what it prints."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from ffmpeg_program import ffmpeg
from tiny_model import HashedTexts, build_tiny

from asteroid_bimodal import cli
from asteroid_bimodal.queries import Vocabulary
from asteroid_bimodal.separate import find_inputs, read_log, separate_files
from asteroid_bimodal.utils.own_sounds import is_ours


@pytest.fixture(scope="module")
def model():
    return build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())


@pytest.fixture
def folder(model, tmp_path, monkeypatch):
    """An empty folder to be in; commands use a tiny model."""
    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: model)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def separate(*argv):
    cli.main(["separate", *map(str, argv)])


def fails(capsys, *argv, code=1):
    """Runs what must fail; returns what standard error says last."""
    with pytest.raises(SystemExit) as stopped:
        separate(*argv)
    lines = capsys.readouterr().err.splitlines()
    if isinstance(stopped.value.code, str):
        assert code == 1
        return stopped.value.code
    assert stopped.value.code == code
    return lines[-1]


def noise(length=4000, channels=1, level=0.1):
    shape = (length, channels)
    return level * np.random.default_rng(length).standard_normal(shape).astype(np.float32)


def write(path, audio=None, rate=8000):
    soundfile.write(path, noise() if audio is None else audio, rate, subtype="FLOAT")
    return path


def names(folder="."):
    return sorted(os.listdir(folder))


def test_several_inputs_then_queries(folder):
    (folder / "more").mkdir()
    for name in ("a.wav", "b.wav", "more/c.wav"):
        write(folder / name)
    separate("a.wav", "b.wav", "more", "violin", "a horn", "--out", "out")
    stems = [f"{stem}_{query}.wav" for stem in "abc" for query in ("a_horn", "violin")]
    assert names("out") == sorted([*stems, "separated.csv"])
    assert len(read_log("out/separated.csv")) == 3


def test_words_may_stand_between_and_after_options(folder):
    write(folder / "a.wav")
    write(folder / "b.wav")
    separate("a.wav", "-q", "b.wav", "violin", "--residual", "flute", "-o", "out")
    separate("-o", "more", "a.wav", "violin")
    assert len(names("out")) == 7 and names("more") == ["a_violin.wav"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["a.wav", "none.wav", "violin"], "none.wav does not exist."),
        (["a.wav", "violin", "NONE.MP4"], "NONE.MP4 does not exist."),
        (["none.txt", "violin"], "none.txt does not exist."),
        (["a.wav", "*.flac", "violin"], "No file is called like *.flac."),
        (["a.wav", "folder", "violin"], "There is no audio file in the folder folder."),
    ],
)
def test_what_is_missing_is_said_to_be_and_nothing_is_done(folder, capsys, argv, message):
    write(folder / "a.wav")
    (folder / "folder").mkdir()
    assert fails(capsys, *argv) == f"asteroid-bimodal: {message}"
    assert names() == ["a.wav", "folder"]


def test_a_file_is_never_a_query(folder, capsys):
    for name in ("a.wav", "b.wav", "notes.txt"):
        write(folder / "a.wav")
        (folder / name).touch()
    for others in (["b.wav"], ["notes.txt"], ["*.wav"]):
        assert "are taken as inputs: add a QUERY" in fails(capsys, "a.wav", *others, code=2)
    separate("a.wav", "--query", "notes.txt", "--query", "a dog, far away")
    assert {"a_notes_txt.wav", "a_a_dog_far_away.wav"} < set(names())


def test_commas_separate_queries_as_in_the_demo(folder):
    write(folder / "a.wav")
    separate("a.wav", "violin, a  horn;flute", "tuba", "violin")
    assert names() == sorted(["a.wav", *(f"a_{q}.wav" for q in "violin a_horn flute tuba".split())])


def test_an_input_that_is_named_twice_is_done_once(folder, capsys):
    write(folder / "a.wav")
    separate("a.wav", "./a.wav", "*.wav", "violin")
    assert capsys.readouterr().out.count("\n") == 1


def test_everything_in_a_folder_as_a_shell_lists_it(folder, capsys):
    write(folder / "a.wav")
    separate("a.wav", "violin")
    write(folder / "b.wav")
    separate(*names(), "violin", "--skip-existing")  # one log, one output
    separate(*names(), "flute")
    assert {"a_flute.wav", "b_flute.wav"} < set(names()) and "a_violin_flute.wav" not in names()


@pytest.mark.parametrize(
    ("options", "subtype", "error"),
    [
        ([], "FLOAT", 0),
        (["--format", "wav", "--bits", "24"], "PCM_24", 2**-22),
        (["--bits", "16"], "PCM_16", 2**-14),
        (["--format", "flac"], "PCM_24", 2**-22),
        (["--format", "flac", "--bits", "16"], "PCM_16", 2**-14),
        (["--format", "ogg"], "VORBIS", 0.2),
        (["--format", "mp3"], "MPEG_LAYER_III", 0.2),
    ],
)
def test_formats(folder, model, options, subtype, error):
    audio = noise(30_000, 2)
    write(folder / "a.wav", audio, 22050)
    separate("a.wav", "violin", "--residual", "-o", "out", *options)
    separate("a.wav", "violin", "--residual", "-o", "exact")
    suffix = options[1] if "--format" in options else "wav"
    assert names("out") == [f"a_residual.{suffix}", f"a_violin.{suffix}"]
    for name in names("out"):
        path = folder / "out" / name
        found, rate = soundfile.read(path)
        expected = soundfile.read(folder / "exact" / f"{path.stem}.wav")[0]
        assert soundfile.info(path).subtype == subtype
        assert (rate, found.shape) == (22050, audio.shape)
        assert np.linalg.norm(found - expected) <= (error or 1e-9) * np.linalg.norm(expected) + (
            error * len(found) ** 0.5
        )
        assert is_ours(path)
    again = separate_files(model, find_inputs("out"), ["violin"])
    assert len(again.outputs) == 2 and not again.written


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_what_is_cut_off_is_told(folder, capsys, suffix):
    write(folder / "loud.wav", noise(level=3))
    separate("loud.wav", "violin", "--residual", "-q", "--format", suffix)
    told = capsys.readouterr().err.splitlines()
    assert told and all("is cut off at ±1, its samples reach ±" in line for line in told)
    separate("loud.wav", "violin", "--residual", "-q")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("suffix", "channels", "rate", "limit"),
    [
        ("mp3", 3, 8000, "at most 2 channels"),
        ("mp3", 1, 96000, "8 to 48 kHz"),
        ("flac", 9, 8000, "at most 8 channels"),
        ("ogg", 1, 384000, "up to 200 kHz"),
    ],
)
def test_what_a_format_does_not_hold_is_one_sentence(folder, capsys, suffix, channels, rate, limit):
    write(folder / "a.wav", noise(channels=channels, length=rate // 10), rate)
    message = fails(capsys, "a.wav", "violin", "--format", suffix)
    assert message.startswith("asteroid-bimodal: a.wav: ") and limit in message
    assert names() == ["a.wav"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "mp3", "--bits", "16"], "mp3 has no bits to choose"),
        (["--format", "flac", "--bits", "32"], "flac has 16 or 24 bits, not 32."),
    ],
)
def test_bits_that_a_format_lacks(folder, capsys, options, message):
    write(folder / "a.wav")
    assert message in fails(capsys, "a.wav", "violin", *options)


class Bytes(io.TextIOWrapper):
    """A standard stream of bytes."""

    def __init__(self, content=b"", terminal=False):
        super().__init__(io.BytesIO(content), encoding="utf-8", write_through=True)
        self.isatty = lambda: terminal


def pipe(monkeypatch, content, *argv):
    output = Bytes()
    monkeypatch.setattr("sys.stdin", Bytes(content))
    monkeypatch.setattr("sys.stdout", output)
    separate(*argv)
    return output.buffer.getvalue()


def test_from_pipe_to_pipe(folder, monkeypatch, capsys):
    write(folder / "a.wav", noise(30_000, 2), 22050)
    separate("a.wav", "violin", "-o", "out")
    content = (folder / "a.wav").read_bytes()
    found = pipe(monkeypatch, content, "-", "violin", "-o", "-")
    expected = soundfile.read("out/a_violin.wav")[0]
    np.testing.assert_allclose(soundfile.read(io.BytesIO(found))[0], expected, atol=1e-6)
    assert "stdin_violin.wav  -" in capsys.readouterr().err
    assert names() == ["a.wav", "out"]
    assert len(pipe(monkeypatch, b"", "a.wav", "violin", "-o", "-", "-q")) == len(found)
    assert pipe(monkeypatch, content, "-", "flute") and "stdin_flute.wav" in names()


def test_what_ffmpeg_pipes(folder, monkeypatch):
    write(folder / "a.wav", noise(8000, 2))
    for kind in ("wav", "flac"):
        command = [ffmpeg(), "-v", "error", "-i", "a.wav", "-f", kind, "-"]
        content = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        found = pipe(monkeypatch, content, "-", "violin", "-o", "-", "-q")
        assert soundfile.info(io.BytesIO(found)).frames == 8000


def test_problems_of_pipes(folder, monkeypatch, capsys):
    write(folder / "a.wav")
    monkeypatch.setattr("sys.stdin", Bytes(b"no audio"))
    message = "asteroid-bimodal: Cannot read standard input: it is no audio file, or a damaged one."
    assert fails(capsys, "-", "violin", "-o", "-") == message
    assert fails(capsys, "a.wav", "-", "violin", code=2)
    assert "not 2: name a folder" in fails(capsys, "a.wav", "violin", "flute", "-o", "-")
    assert "not both" in fails(capsys, "a.wav", "violin", "-o", "-", "--json", code=2)
    monkeypatch.setattr("sys.stdin", Bytes(terminal=True))
    assert "Nothing is piped" in fails(capsys, "-", "violin")
    monkeypatch.setattr("sys.stdout", Bytes(terminal=True))
    assert "add > FILE" in fails(capsys, "a.wav", "violin", "-o", "-", code=2)
    assert names() == ["a.wav"]


PIPED = """
import sys
from tiny_model import HashedTexts, build_tiny
from asteroid_bimodal import cli, hub
model = build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())
hub.load_model = lambda *args: model
cli.main(["separate", *sys.argv[1:]])
"""


def test_a_reader_of_sound_that_goes_away_is_no_error(folder):
    write(folder / "a.wav", noise(200_000, 2))
    command = [sys.executable, "-c", PIPED, "a.wav", "violin", "-o", "-", "-q"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout.read(4) == b"RIFF"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_json(folder, capsys):
    write(folder / "a.wav")
    (folder / "b.wav").write_text("no audio")
    with pytest.raises(SystemExit) as stopped:
        separate("a.wav", "b.wav", "a horn", "--residual", "--json")
    assert stopped.value.code == 1
    told = json.loads(capsys.readouterr().out)
    good, bad = told["files"]
    assert told["model"] == "small" and good["input"] == "a.wav" and good["status"] == "ok"
    estimate, residual = good["outputs"]
    assert estimate["file"] == "a_a_horn.wav" and estimate["query"] == "a horn"
    assert estimate["level"] < 0 and estimate["likelihood"] is estimate["word"] is None
    assert residual["file"] == "a_residual.wav" and residual["query"] is residual["level"] is None
    assert bad["status"] == "failed" and bad["reason"].startswith("Cannot read b.wav")
    assert bad["outputs"] == []
    with pytest.raises(SystemExit):
        separate(
            "a.wav", "b.wav", "a_a_horn.wav", "a horn", "--residual", "--json", "--skip-existing"
        )
    statuses = [file["status"] for file in json.loads(capsys.readouterr().out)["files"]]
    assert statuses == ["left out", "skipped", "failed"]


def test_short_options_quiet_and_details(folder, capsys):
    write(folder / "a.wav")
    (folder / "b.wav").write_text("no audio")
    separate("a.wav", "violin", "-o", "one", "-m", "mini", "-q")
    assert capsys.readouterr() == ("", "")
    separate("a.wav", "violin", "-o", "two", "-v")
    assert "a.wav: 0.50 s, 1 channels at 8000 Hz" in capsys.readouterr().err
    fails(capsys, "a.wav", "b.wav", "violin", "-o", "three", "-q")
    with pytest.raises(SystemExit):
        separate("b.wav", "violin", "-v")
    told = capsys.readouterr().err
    assert "Traceback" in told and "Format not recognised" in told
    separate("a.wav", "violin", "-o", "four")
    assert capsys.readouterr().err == ""  # -v ends with its command


def test_progress_over_a_batch(folder, capsys, monkeypatch):
    for name in "ab":
        write(folder / f"{name}.wav")
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    separate("a.wav", "b.wav", "violin")
    told = capsys.readouterr()
    assert "2/2" in told.err and "file" in told.err and told.out.count(" dB") == 2
    separate("a.wav", "b.wav", "flute", "-q")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("asked", [["banana"], ["violin", "--without", "banana"]])
def test_what_the_model_does_not_know_is_told_and_with_strict_refused(
    folder, model, capsys, monkeypatch, asked
):
    monkeypatch.setattr(model, "vocabulary", Vocabulary({"instruments": {"violin": []}}))
    write("a.wav")
    message = (
        "asteroid-bimodal: This model does not know 'banana': what it finds is found by chance. It "
        "knows 'violin'."
    )
    assert fails(capsys, "a.wav", *asked, "--strict", code=2) == message
    assert names() == ["a.wav"]
    separate("a.wav", "a violin plays", "--strict", "--blend", "kazoo", "violins:1")
    assert capsys.readouterr().err == ""
    separate("a.wav", *asked)
    assert capsys.readouterr().err.splitlines() == [message]


def test_what_is_very_unlikely_is_lowered_unless_the_gate_is_off(folder, model, monkeypatch):
    def unlikely(self, spectra, query):
        return torch.full((*spectra.masks.shape[:2], 1), 0.05)

    monkeypatch.setattr(type(model), "likelihoods", unlikely)
    path = write("a.wav")
    separate(path, "violin", "-o", "gated")
    separate(path, "violin", "-o", "open", "--no-gate")
    gated, whole = (soundfile.read(f"{name}/a_violin.wav")[0] for name in ("gated", "open"))
    np.testing.assert_allclose(gated, 0.2 * whole, rtol=1e-5, atol=1e-8)
    found = model.separate(path, ["violin"], gate=False).estimates[0]
    np.testing.assert_allclose(found, whole, rtol=1e-6)
