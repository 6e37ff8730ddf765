"""What was separated is never separated again, wherever it is and however it is named."""

from __future__ import annotations

import shutil

import pytest
import soundfile

from asteroid_bimodal import cli
from asteroid_bimodal.separate import find_inputs, separate_files


@pytest.fixture
def run(model, monkeypatch):
    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: model)
    return lambda *args: cli.main(["separate", *map(str, args)])


@pytest.mark.parametrize("first", ["duet.wav", "", "*.wav"])
@pytest.mark.parametrize("then", ["duet.wav", "", "*.wav", "duet_*.wav"])
def test_by_file_folder_and_pattern(run, duet, capsys, first, then):
    folder = duet.parent
    run(folder / first, "violin", "--residual")
    try:
        run(folder / then, "flute")
    except SystemExit as stopped:
        assert then == "duet_*.wav" and "nothing to separate" in stopped.code
    names = {path.name for path in folder.glob("*.wav")}
    new = set() if then == "duet_*.wav" else {"duet_flute.wav"}
    assert names == {"duet.wav", "duet_violin.wav", "duet_residual.wav"} | new
    told = capsys.readouterr().out
    assert ("duet_violin.wav  left out" in told) == (then != "duet.wav")


def test_when_moved_renamed_or_written_elsewhere(model, run, duet, tmp_path, capsys):
    run(duet, "violin", "--out", tmp_path / "out")
    (tmp_path / "out/duet_violin.wav").rename(tmp_path / "out/a new name.wav")
    model.separate(duet, ["violin"]).save(tmp_path / "out", "flac")
    with pytest.raises(SystemExit, match="nothing to separate"):
        run(tmp_path / "out", "flute")
    assert capsys.readouterr().out.count("left out") == 2
    results = separate_files(model, [tmp_path / "out/duet_violin.flac"], ["flute"])
    assert list(results.outputs) == [tmp_path / "out/duet_violin.flac"] and not results.written


def test_what_others_make_of_it_is_a_recording(model, duet, tmp_path):
    (path,) = separate_files(model, [duet], ["violin"]).written
    soundfile.write(tmp_path / "mixed.wav", *soundfile.read(path))  # as an editor does
    shutil.copy(duet, tmp_path / "duet_tuba.wav")
    results = separate_files(model, find_inputs(tmp_path), ["flute"])
    assert [one.name for one in results.written] == [
        "duet_flute.wav",
        "duet_tuba_flute.wav",
        "mixed_flute.wav",
    ]
