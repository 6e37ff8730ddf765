"""Files, folders and patterns."""

from __future__ import annotations

import pytest

from asteroid_bimodal.separate import find_inputs, separate_files


def test_find_inputs_takes_files_folders_and_patterns(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    for name in ("b.wav", "a.FLAC", ".hidden.wav", "notes.txt", "folder.wav/c.wav"):
        (tmp_path / name).touch()

    def found(source):
        return [str(path.relative_to(tmp_path)) for path in find_inputs(source)]

    assert found(tmp_path / "notes.txt") == ["notes.txt"]
    assert found(tmp_path) == ["a.FLAC", "b.wav"]
    assert found(f"{tmp_path}/*.wav") == ["b.wav"]
    assert found(f"{tmp_path}/**/*.wav") == ["b.wav", "folder.wav/c.wav"]


def test_the_log_of_a_batch_is_no_input(tmp_path):
    for name in ("a.wav", "separated.csv"):
        (tmp_path / name).touch()
    assert [path.name for path in find_inputs(f"{tmp_path}/*")] == ["a.wav"]


def test_what_a_batch_wrote_to_the_folder_is_no_input_of_the_next(model, tmp_path, write, noise):
    """Asked for a violin and then for a flute, a folder got a flute of the violin, too."""
    write(tmp_path / "a.wav", noise())
    for query in ("violin", "flute"):
        separate_files(model, find_inputs(tmp_path), [query], log=True)
    written = sorted(path.name for path in tmp_path.glob("*.wav"))
    assert written == ["a.wav", "a_flute.wav", "a_violin.wav"]
    assert [path.name for path in find_inputs(f"{tmp_path}/*_flute.wav")] == ["a_flute.wav"]
    (tmp_path / "separated.csv").write_text("my,table\n")
    assert len(find_inputs(tmp_path)) == 3


def test_missing_input_and_folder_without_audio_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no audio")
    for source, message in (
        (tmp_path, "There is no audio file in the folder"),
        (tmp_path / "missing.wav", "missing.wav does not exist"),
        (f"{tmp_path}/*.wav", "No file is called like"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            find_inputs(source)


def test_every_format_that_can_be_read_is_found_in_a_folder(tmp_path):
    for name in ("b.M4A", "a.wav", "c.mp4", "d.opus", "e.oga", "notes.txt"):
        (tmp_path / name).touch()
    found = [path.name for path in find_inputs(tmp_path)]
    assert found == ["a.wav", "b.M4A", "c.mp4", "d.opus", "e.oga"]
