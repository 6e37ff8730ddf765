"""Files of any name are separated, logged and told, whatever a terminal can show."""

from __future__ import annotations

import os

import pytest
import soundfile

from asteroid_bimodal import cli
from asteroid_bimodal.separate import find_inputs, read_log, separate_files
from asteroid_bimodal.utils.files import raw_path

NAMES = {
    "undecodable": b"fl\xfcte \xff\xfe",
    "newline": b"two\nlines\r",
    "dash": b"-rf --out",
    "dots and spaces": b" a . ",
    "right to left": "\u202eניגון".encode(),
    "emoji": "🎻🧑\u200d🎤".encode(),
    "protocol": b"http:concat:a|b",
    "pattern": b"[a-z]*?%s{0}",
    "longest": b"x" * 251,
    "longest of wide letters": "é".encode() * 125,
    "longest undecodable": b"\xff" * 251,
}


def add(folder, name, write, noise):
    path = folder / os.fsdecode(name + b".wav")
    write(folder / "plain.wav", noise()).rename(path)
    return path


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_of_any_name_is_separated_and_logged(model, tmp_path, write, noise, kind):
    path = add(tmp_path, NAMES[kind], write, noise)
    assert find_inputs(tmp_path) == [path]
    query = "q" * 300 if "longest" in kind else "violin"
    results = separate_files(model, [path], [query], residual=True, log=True)
    assert not results.failed and len(results.written) == 2
    found = {name for name in os.listdir(tmp_path)}
    assert found == {path.name, "separated.csv", *(written.name for written in results.written)}
    assert all(len(os.fsencode(name)) <= 255 for name in found)
    row = read_log(tmp_path / "separated.csv")[path.name]
    assert row.outputs == [written.name for written in results.written]
    again = separate_files(model, [path], [query], residual=True, skip_existing=True)
    assert again.skipped == [path]
    saved = model.separate(path, [query]).save(tmp_path / "saved")
    assert [one.name for one in saved] == [results.written[0].name]


def test_long_names_stay_apart(model, tmp_path, write, noise):
    paths = [add(tmp_path, b"x" * 250 + end, write, noise) for end in (b"a", b"b")]
    results = separate_files(model, paths, ["violin"])
    assert len(set(results.written)) == 2 and not results.failed


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_all_are_told_whatever_the_encoding(
    model, tmp_path, monkeypatch, capfdbinary, write, noise, encoding
):
    paths = [add(tmp_path, name, write, noise) for name in NAMES.values()]
    (tmp_path / os.fsdecode(b"bad \xff.wav")).write_text("no audio")
    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: model)
    streams = [open(number, "w", encoding=encoding, closefd=False) for number in (1, 2)]
    monkeypatch.setattr("sys.stdout", streams[0])
    monkeypatch.setattr("sys.stderr", streams[1])
    with pytest.raises(SystemExit) as stopped:
        cli.main(["separate", str(tmp_path), "violon é"])
    assert stopped.value.code == 1  # of the bad one
    told = capfdbinary.readouterr()
    assert told.out.count(b" dB\n") == len(paths)
    assert b"bad \\udcff.wav: it is no audio" in told.err and told.err.count(b"\n") == 1
    assert sum(soundfile.info(raw_path(path)).frames == 4000 for path in paths) == len(paths)
