"""Rows are whole or not there, whenever their writer is killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asteroid_bimodal.utils.ledger import Ledger, lock_file, read_ledger


@dataclass
class Song:
    name: str
    mood: str = ""
    seconds: float = 0.0
    parts: list[str] = field(default_factory=list)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "songs" / "songs.csv"


def test_the_last_row_of_a_key_counts(path):
    ledger = Ledger(path, Song)
    rows = [Song("a", 'a "quoted", mood'), Song("a", "ok", 9.98, ["violin", "flûte"]), Song("b")]
    for row in rows:
        ledger.append(row)
    assert ledger.rows == read_ledger(path, Song) == {"a": rows[1], "b": rows[2]}
    assert path.read_text("utf-8").splitlines() == [
        "name,mood,seconds,parts",
        'a,"a ""quoted"", mood",0.0,[]',
        'a,ok,9.98,"[""violin"", ""flûte""]"',
        "b,,0.0,[]",
    ]


@pytest.mark.parametrize("name", ["b", 'a "b",\nc\n', os.fsdecode(b"fl\xfcte\n.wav")])
def test_half_a_row_is_cut_off(path, name):
    ledger = Ledger(path, Song)
    ledger.append(Song("a\n"))
    whole = path.read_bytes()
    ledger.append(Song(name, "two\nlines"))
    content = path.read_bytes()
    for size in range(len(whole), len(content)):
        path.write_bytes(content[:size])
        assert list(read_ledger(path, Song)) == ["a\n"]
        ledger = Ledger(path, Song)
        assert path.read_bytes() == whole
        ledger.append(Song("c"))
        assert list(read_ledger(path, Song)) == ["a\n", "c"]
    path.write_bytes(content)
    assert list(Ledger(path, Song).rows) == ["a\n", name] and path.read_bytes() == content


def test_even_half_a_header(path):
    path.parent.mkdir()
    for header in ("", "name,m"):
        path.write_text(header)
        assert read_ledger(path, Song) == {}
        Ledger(path, Song).append(Song("a"))
        assert list(read_ledger(path, Song)) == ["a"]


def test_rows_of_two_writers(path):
    one, other = Ledger(path, Song), Ledger(path, Song)
    for ledger, name in ((one, "a"), (other, "b"), (one, "a"), (other, "b")):
        ledger.append(Song(name))
    one.compact()
    assert list(one.rows) == ["a", "b"] and len(path.read_text().splitlines()) == 3
    other.append(Song("c"))
    assert list(read_ledger(path, Song)) == ["a", "b", "c"]


@pytest.mark.parametrize("content", ["my,table\n", "my,table\na,b\n", "notes", "name,mood\na,b\n"])
def test_another_file_is_not_replaced(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ValueError, match="songs.csv is another file: its columns are not name, mo"):
        Ledger(path, Song)
    assert path.read_text() == content


@pytest.mark.parametrize("row", ["b,sad", "b,sad,long,[]", "b,sad,1.0,[", "b,sad,1.0,[],more"])
def test_a_row_that_does_not_fit(path, row):
    Ledger(path, Song).append(Song("a"))
    content = f"{path.read_text()}{row}\nc,,0.0,[]\n"
    path.write_text(content)
    with pytest.raises(ValueError, match="songs.csv, line 3: this row does not fit.*Delete the l"):
        Ledger(path, Song)
    assert path.read_text() == content


class ShortFile:
    """A file on a disk that takes half of what is written and no more, as it fills up."""

    def __init__(self, file):
        self.file, self.full = file, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content):
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.full = True
        return self.file.write(content[: len(content) // 2])


def test_no_part_of_a_row_stays_on_a_full_disk(path, monkeypatch):
    ledger = Ledger(path, Song)
    ledger.append(Song("a"))
    content = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(
            "asteroid_bimodal.utils.ledger.open",
            lambda *args, **options: ShortFile(open(*args, **options)),
            raising=False,
        )
        with pytest.raises(OSError) as error_info:
            ledger.append(Song("b"))
    assert error_info.value.errno == errno.ENOSPC
    assert path.read_bytes() == content and list(ledger.rows) == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(path):
    ledger = Ledger(path, Song)
    ledger.path = Path("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        ledger.append(Song("a"))
    assert not ledger.rows


def test_a_file_that_cannot_be_appended_to_is_told_at_once(path, monkeypatch):
    Ledger(path, Song).append(Song("a"))

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("asteroid_bimodal.utils.ledger.open", refuse, raising=False)
    with pytest.raises(PermissionError):
        Ledger(path, Song)


def test_a_lock_is_for_one(path):
    pytest.importorskip("fcntl", reason="needs locks of files")
    with lock_file(path):
        with pytest.raises(BlockingIOError):
            lock_file(path)
        Ledger(path, Song).append(Song("a"))
    with lock_file(path):
        assert list(read_ledger(path, Song)) == ["a"]


def test_a_drive_without_locks(path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="needs locks of files")

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock_file(path):
        Ledger(path, Song).append(Song("a"))
    assert list(read_ledger(path, Song)) == ["a"]


def test_a_process_that_lives_on_holds_no_lock_of_its_parent(path):
    """As workers do for a while, when the process that started them is killed."""
    pytest.importorskip("fcntl", reason="needs locks of files")
    code = """if True:
        import os, signal, sys
        from asteroid_bimodal.utils.ledger import lock_file
        lock = lock_file(sys.argv[1])
        listen, tell = os.pipe()
        child = os.fork()
        if not child:
            os.write(tell, b"alive")
            signal.pause()
        os.read(listen, 5)
        print(child, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    child = int(killed.stdout.readline())
    try:
        assert killed.wait() == -signal.SIGKILL
        os.kill(child, 0)
        lock_file(path).close()
    finally:
        os.kill(child, signal.SIGKILL)
        killed.stdout.close()
