"""download.csv: locked during a run, and a full disk is told as such."""

from pathlib import Path

import pytest

from asteroid_bimodal.data.download import DiskFullError, DownloadStoppedError, Row, read_ledger
from asteroid_bimodal.data.download.ledger import LEDGER, open_ledger

ROW = Row("audio/a.flac", "a", 30.0, "failed", 'a "quoted", reason')


def test_the_file(tmp_path):
    with open_ledger(tmp_path) as ledger:
        ledger.append(ROW)
        ledger.append(Row("audio/a.flac", "a", 30.0, "ok", "", 9.98))
    header, first, second = (tmp_path / LEDGER).read_text().splitlines()
    assert header == "path,id,start,status,reason,seconds,when"
    assert first.startswith('audio/a.flac,a,30.0,failed,"a ""quoted"", reason",0.0,2')
    assert second.startswith("audio/a.flac,a,30.0,ok,,9.98,2") and second.endswith("Z")
    assert read_ledger(tmp_path)["audio/a.flac"].seconds == 9.98


def test_one_run_at_a_time(tmp_path):
    pytest.importorskip("fcntl", reason="needs locks of files")
    with open_ledger(tmp_path), pytest.raises(DownloadStoppedError, match="Another download is at"):
        open_ledger(tmp_path).__enter__()
    with open_ledger(tmp_path) as ledger:
        assert not ledger.rows


def test_another_file_of_that_name(tmp_path):
    (tmp_path / LEDGER).write_text("path,label\na,b\n")
    with pytest.raises(ValueError, match="download.csv is another file: its columns are not path"):
        open_ledger(tmp_path).__enter__()
    assert (tmp_path / LEDGER).read_text() == "path,label\na,b\n"
    (tmp_path / LEDGER).unlink()
    with open_ledger(tmp_path) as ledger:  # the lock is free
        ledger.append(ROW)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(tmp_path):
    with open_ledger(tmp_path) as ledger:
        ledger.path = Path("/dev/full")
        with pytest.raises(DiskFullError, match="No space left"):
            ledger.append(ROW)
    assert read_ledger(tmp_path) == {}
