"""Manifests of what a download has left."""

from __future__ import annotations

import numpy as np
import soundfile

from asteroid_bimodal.data.download import (
    Row,
    read_set,
    write_manifests,
)
from asteroid_bimodal.data.download.ledger import open_ledger
from asteroid_bimodal.data.manifest import read_manifest


def test_manifests_list_what_is_there(tmp_path):
    (tmp_path / "val.csv").write_text(
        "audiocap_id,youtube_id,start_time,caption\n1,a,0,Rain falls\n2,a,0,It rains\n3,b,0,Wind\n"
    )
    (tmp_path / "test.csv").write_text("youtube_id,start_time,caption\nc,0,A dog\n")
    read_set("audiocaps", tmp_path / "out", [tmp_path / "val.csv", tmp_path / "test.csv"])
    (tmp_path / "out/audio").mkdir()
    soundfile.write(tmp_path / "out/audio/a_000000.flac", np.zeros(16_000), 16_000)
    manifests = write_manifests(tmp_path / "out")
    (row,) = read_manifest(manifests["valid"])
    assert (row.path, row.caption, row.seconds) == ("audio/a_000000.flac", "Rain falls", 1.0)
    assert manifests["test"].read_text() == "path,label,caption,seconds,split\n"
    manifests = write_manifests(tmp_path / "out", every_caption=True)
    assert [row.caption for row in read_manifest(manifests["valid"])] == ["Rain falls", "It rains"]


def test_a_ledger_row_without_its_file_is_not_in_the_manifest(tmp_path):
    (tmp_path / "vggsound.csv").write_text("a,3,rain,test\nb,3,rain,test\n")
    read_set("vggsound", tmp_path, [tmp_path / "vggsound.csv"])
    with open_ledger(tmp_path) as ledger:
        ledger.append(Row("audio/a_000003.flac", "a", 3.0, "ok", "", 10.0))
    assert write_manifests(tmp_path)["test"].read_text().count("\n") == 1
