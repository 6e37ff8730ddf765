import errno
from pathlib import Path

import pytest

from asteroid_bimodal.data.download import DiskFullError, DownloadStoppedError, Row, read_ledger
from asteroid_bimodal.data.download.ledger import LEDGER, Ledger

ROW = Row("audio/a.flac", "a", 30.0, "failed", 'a "quoted", reason')


def test_the_last_row_of_a_path_counts(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.append(ROW)
        ledger.append(Row("audio/a.flac", "a", 30.0, "ok", "", 9.98))
        ledger.append(Row("audio/b.flac", "b", 0.0, "gone", ROW.reason))
    rows = read_ledger(tmp_path)
    assert (rows["audio/a.flac"].status, rows["audio/a.flac"].seconds) == ("ok", 9.98)
    assert rows["audio/b.flac"].reason == ROW.reason
    assert rows["audio/b.flac"].when.endswith("Z")
    assert len((tmp_path / LEDGER).read_text().splitlines()) == 4


@pytest.mark.parametrize("cut", range(1, 25))
def test_half_a_row_is_cut_off(tmp_path, cut):
    with Ledger(tmp_path) as ledger:
        ledger.append(ROW)
    whole = (tmp_path / LEDGER).read_bytes()
    with Ledger(tmp_path) as ledger:
        ledger.append(Row("audio/b.flac", "b", 0.0, "ok"))
    content = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(content[: len(whole) + cut])
    assert list(read_ledger(tmp_path)) == ["audio/a.flac"]
    with Ledger(tmp_path) as ledger:
        assert (tmp_path / LEDGER).read_bytes() == whole
        ledger.append(Row("audio/c.flac", "c", 0.0, "ok"))
    assert list(read_ledger(tmp_path)) == ["audio/a.flac", "audio/c.flac"]


def test_even_half_a_header(tmp_path):
    (tmp_path / LEDGER).write_text("path,i")
    with Ledger(tmp_path) as ledger:
        ledger.append(ROW)
    assert list(read_ledger(tmp_path)) == ["audio/a.flac"]


def test_one_run_at_a_time(tmp_path):
    pytest.importorskip("fcntl", reason="needs locks of files")
    with (
        Ledger(tmp_path),
        pytest.raises(DownloadStoppedError, match="Another download is at work"),
    ):
        Ledger(tmp_path)
    Ledger(tmp_path).__exit__(None, None, None)


def test_a_drive_without_locks(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="needs locks of files")

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Ledger(tmp_path) as ledger:
        ledger.append(ROW)
    assert list(read_ledger(tmp_path)) == ["audio/a.flac"]


def test_a_file_that_is_no_ledger(tmp_path):
    (tmp_path / LEDGER).write_text("path,label\na,b\n")
    with pytest.raises(ValueError, match="line 1: expected the columns path, id, start.*Delete"):
        Ledger(tmp_path)
    assert (tmp_path / LEDGER).read_text() == "path,label\na,b\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger._file.close()
        ledger._file = open("/dev/full", "ab", buffering=0)
        with pytest.raises(DiskFullError, match="No space left"):
            ledger.append(ROW)
    assert read_ledger(tmp_path) == {}
