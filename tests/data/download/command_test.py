"""The command that downloads a set."""

from __future__ import annotations

from pathlib import Path

import pytest

from asteroid_bimodal.cli import main as cli
from asteroid_bimodal.data.manifest import read_manifest


def _annotations(folder: Path, ids: list[str]) -> Path:
    path = folder / "vggsound.csv"
    path.write_text("".join(f'{name},3,"bird chirping, tweeting",test\n' for name in ids))
    return path


def command(web, tmp_path, ids, *more) -> None:
    annotations = _annotations(tmp_path, ids)
    argv = ["download", "vggsound", "--out", tmp_path / "out", "--annotations", annotations]
    argv += ["--url-template", web.template, "--sleep", 0, "--timeout", 2, *more]
    cli([str(word) for word in argv])


def test_the_command(web, tmp_path, capsys):
    command(web, tmp_path, ["mp4", "missing", "mp4", "wav"], "--limit", "2")
    printed = capsys.readouterr()
    assert "3 clips listed (1 of 4 rows repeat a clip, which is fetched once)" in printed.out
    assert "1 of 2 clips are there; 1 gone, 0 failed: 50.0 % missing." in printed.out
    (row,) = read_manifest(tmp_path / "out/test.csv")
    assert (row.label, row.seconds) == ("bird chirping, tweeting", pytest.approx(10, abs=0.06))
    with pytest.raises(SystemExit, match="1 clips failed. The same command tries them again."):
        command(web, tmp_path, ["mp4", "html"])


def test_every_clip_is_gone(web, tmp_path, capsys):
    for more in ([], ["--retry-gone"], []):  # the last one finds it in the ledger
        with pytest.raises(SystemExit) as exit_info:
            command(web, tmp_path, ["missing"], *more)
        assert exit_info.value.code == 3
        assert "every clip is gone; --retry-gone tries again." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--limit", "0"], "'0' is not a whole number from 1 on"),
        (["--rate-limit", "fast"], "'fast' is not a number of bytes such as 500K or 2M"),
        (["--cookies", "none.txt"], "none.txt does not exist: give a cookies.txt"),
        (["--clip-timeout", "0"], "A clip_timeout is a number of seconds above 0"),
        (["--split", "train"], "The annotations list no clips of the split train"),
        (["--url-template", "http://a"], "There is no {id} in the address 'http://a'"),
    ],
)
def test_what_the_command_is_told(web, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as exit_info:
        command(web, tmp_path, ["mp4"], *more)
    assert message in f"{exit_info.value.code}{capsys.readouterr().err}"
