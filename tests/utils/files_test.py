import errno
import os
import re
import stat
from pathlib import Path

import pytest

from asteroid_bimodal.utils.files import atomic_write, disk_full_error, safe_name


def test_writes_a_new_file_and_its_folders(tmp_path):
    target = tmp_path / "a" / "b" / "c.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert not target.exists() and temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["c.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_error_leaves_no_new_file(tmp_path):
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.txt"):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


@pytest.fixture
def full_disk(monkeypatch):
    """Every file that is opened afterwards takes nothing any more: as long as `fill` was called."""

    def fill(number):
        real = Path.open

        def refuse(self, mode="r", *args, **kwargs):
            if mode != "ab":
                return real(self, mode, *args, **kwargs)
            raise OSError(number, "whatever the system says")

        monkeypatch.setattr(Path, "open", refuse)

    return fill


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_whatever_the_writer_says(tmp_path, full_disk, number):
    full_disk(number)
    with pytest.raises(OSError) as raised, atomic_write(tmp_path / "a.wav"):
        raise RuntimeError("Error in the output device, perhaps")
    assert raised.value.errno == number and os.strerror(number) in str(raised.value)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_behind_other_errors(tmp_path):
    def fail():
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            raise ValueError("cannot go on") from error

    with pytest.raises(ValueError) as raised:
        fail()
    assert disk_full_error(tmp_path, raised.value).errno == errno.ENOSPC


def test_other_errors_are_no_full_disk(tmp_path, full_disk):
    assert disk_full_error(tmp_path, OSError(errno.EIO, "broken")) is None
    assert disk_full_error(tmp_path / "none", RuntimeError()) is None
    full_disk(errno.EACCES)
    assert disk_full_error(tmp_path, RuntimeError()) is None
    assert os.listdir(tmp_path) == []


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "atomic"):
        pass
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


def test_permissions_of_other_threads_files_are_left_alone(tmp_path, monkeypatch):
    """Reading the umask sets it, and two threads that did could leave it at 0."""
    monkeypatch.setattr(os, "umask", None)
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.unlink()
        temporary.touch(0o600)  # as writers do that make the file anew
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_where_the_file_belongs(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("violin", "violin"),
        ("acoustic guitar", "acoustic_guitar"),
        ("The sound of  a dog, barking!", "The_sound_of_a_dog_barking"),
        ("../../etc/passwd", "etc_passwd"),
        ("/absolute", "absolute"),
        (r"C:\windows\system32", "C_windows_system32"),
        ("Glockenspiel über Ärger", "Glockenspiel_über_Ärger"),
        ("二胡", "二胡"),
        ("hip-hop_2", "hip-hop_2"),
        ("line\nbreak\0nul", "line_break_nul"),
    ],
)
def test_safe_names(text, name):
    assert safe_name(text) == name


@pytest.mark.parametrize("text", ["", "   ", "..", "/", "🎻", "***", "\udc80"])
def test_names_are_never_empty(text):
    assert re.fullmatch(r"query_[0-9a-f]{8}", safe_name(text))


def test_texts_without_letters_stay_distinct():
    assert len({safe_name(text) for text in ("", "🎻", "🎺", "..")}) == 4


def test_long_names_are_cut_and_stay_distinct():
    first, second = safe_name("a" * 500), safe_name("a" * 501)
    assert first != second and max(map(len, (first, second))) <= 70


@pytest.mark.parametrize(
    "text", ["a/b", "..\\x", "con: prn", "x" * 999 + "/y", "é" * 300, "\u202e"]
)
def test_names_never_leave_their_folder(tmp_path, text):
    path = tmp_path / f"{safe_name(text)}.wav"
    path.touch()
    assert path.resolve().parent == tmp_path.resolve()
