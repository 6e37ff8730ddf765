"""Downloads from a real server of real media, with what goes wrong on the real internet."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from asteroid_bimodal.data.download import (
    DownloadStoppedError,
    Entry,
    read_ledger,
    read_set,
    run,
)
from asteroid_bimodal.data.download.clips import read_clips
from asteroid_bimodal.data.download.ledger import open_ledger
from asteroid_bimodal.data.frames import frames_of


@pytest.mark.parametrize("kind", ["mp4", "mp3", "wav", "moved", "slow"])
def test_the_seconds_that_were_asked_for(site, tmp_path, kind):
    summary = site.get([site.clip(kind)])
    assert (summary.ok, summary.gone, summary.failed) == (1, 0, 0)
    assert site.files() == [f"audio/{kind}_000003.flac", "download.csv"]
    site.assert_seconds(tmp_path / f"audio/{kind}_000003.flac", 3, 10)
    row = read_ledger(tmp_path)[f"audio/{kind}_000003.flac"]
    assert row.seconds == pytest.approx(10, abs=0.06) and (row.start, row.reason) == (3.0, "")


@pytest.mark.parametrize("kind", ["mp4", "moved"])
def test_a_whole_video(site, tmp_path, kind):
    assert site.get([site.whole(kind)]).ok == 1
    assert site.files() == ["download.csv", f"solo/audio/tuba/{kind}.wav"]
    site.assert_seconds(tmp_path / f"solo/audio/tuba/{kind}.wav", 0, 14)


def test_frames_show_their_seconds(site, tmp_path):
    assert site.get([site.clip("mp4"), site.whole("moved")], frames=True).ok == 2
    for path, first, count in (
        ("audio/mp4_000003.flac", 3, 10),
        ("solo/audio/tuba/moved.wav", 0, 14),
    ):
        frames = frames_of(tmp_path / path)
        assert len(frames) == count
        light = [np.asarray(Image.open(frame).convert("L")).mean() for frame in frames]
        steps = np.diff(light)
        assert (steps > 0).all() and steps.mean() == pytest.approx(15 * 255 / 219, rel=0.15)
        assert light[0] == pytest.approx(15 * first * 255 / 219, abs=20)


def test_frames_are_fetched_beside_sound_that_is_there(site, tmp_path):
    site.get([site.clip("mp4")])
    before = (tmp_path / site.clip("mp4").path).stat().st_mtime_ns
    assert site.get([site.clip("mp4")], frames=True).ok == 1
    assert (tmp_path / site.clip("mp4").path).stat().st_mtime_ns == before
    summary = site.get([site.clip("wav")], frames=True)
    assert (summary.ok, summary.gone) == (0, 1) and summary.reasons == [("has no pictures", 1)]


BAD = {
    "missing": ("gone", "404"),
    "page": ("failed", "Unsupported URL"),
    "html": ("failed", "Invalid data"),
    "truncated": ("failed", "breaks off at 3.8 s, expected 10.0 s"),
}


def test_each_clip_ends_in_its_own_way(site, tmp_path):
    entries = [site.clip(kind) for kind in ("mp4", *BAD)]
    entries += [site.whole("truncated_w"), site.whole("html_w")]
    summary = site.get(entries)
    assert (summary.ok, summary.gone, summary.failed) == (1, 1, 5)
    rows = {row.id: row for row in read_ledger(tmp_path).values()}
    for kind, (status, reason) in BAD.items():
        assert rows[kind].status == status and reason in rows[kind].reason
    assert "more expected" in rows["truncated_w"].reason
    assert "Invalid data" in rows["html_w"].reason
    assert site.files() == ["audio/mp4_000003.flac", "download.csv"]
    assert str(summary).startswith("1 of 7 clips are there; 1 gone, 5 failed: 85.7 % missing.\n  ")


@pytest.mark.parametrize("whole", [False, True])
def test_a_body_that_ends_too_soon_although_its_length_fits(site, web, whole):
    kinds = [f"third{kind}" for kind in web.media]
    clip = site.whole if whole else site.clip
    entries = [clip(kind) for kind in kinds] + [clip(kind.removeprefix("third")) for kind in kinds]
    summary = site.get(entries)
    assert (summary.ok, summary.gone, summary.failed) == (len(kinds), 0, len(kinds))
    for row in read_ledger(site.root).values():
        assert (row.status == "failed") == row.id.startswith("third")
        assert row.status == "ok" or re.match("breaks off|is damaged", row.reason)


def test_a_clip_before_the_end_of_its_video(site):
    early = Entry("audio/wav_000009.flac", "wav", 9.0, 10.0, "rain", (), "test")
    assert site.get([early]).ok == 1
    site.assert_seconds(site.root / early.path, 9, 5)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", ["concat", "hls"])
def test_what_names_another_file_of_this_machine(site, kind, whole):
    """Beside what is downloaded, where relative names lead."""
    entry = (site.whole if whole else site.clip)(kind)
    secret = site.root / ".partial" / f"{Path(entry.path).name}.audio" / "secret.wav"
    secret.parent.mkdir(parents=True)
    soundfile.write(secret, np.zeros(14 * 8000), 8000)
    assert site.get([entry]).failed == 1
    assert not (site.root / entry.path).exists()


def test_a_server_that_goes_silent(site):
    entries = [site.clip("mp4"), site.clip("held"), site.clip("mp4_2")]
    summary = site.get(entries, timeout=2.0, jobs=1)
    assert (summary.ok, summary.failed) == (2, 1) and site.statuses()["held"] == "failed"


def test_what_another_run_tries(site, web, tmp_path):
    entries = [site.clip("mp4"), site.clip("missing"), site.clip("html")]
    site.get(entries)
    before = web.asked.copy()
    site.get(entries)
    assert web.asked - before == {"html": before["html"]}
    site.get(entries, retry_gone=True)
    assert web.asked["missing"] == 2 * before["missing"]
    web.media["html"], web.TYPES = web.media["mp4"], {**web.TYPES, "html": "video/mp4"}
    (tmp_path / entries[0].path).unlink()
    summary = site.get([site.clip("mp4"), site.clip("missing")])
    assert summary.ok == 1 and (tmp_path / entries[0].path).is_file()


def test_files_that_were_put_there_by_hand(site, web, tmp_path):
    (tmp_path / "solo/audio/tuba").mkdir(parents=True)
    soundfile.write(tmp_path / site.whole("mine").path, np.zeros(8000), 8000)
    wav = (tmp_path / site.whole("mine").path).read_bytes()
    (tmp_path / site.whole("mp4").path).write_bytes(wav[: len(wav) // 2])
    assert site.get([site.whole("mine"), site.whole("mp4")]).ok == 2
    rows = read_ledger(tmp_path)
    assert rows[site.whole("mine").path].reason == "found" and not web.asked["mine"]
    site.assert_seconds(tmp_path / site.whole("mp4").path, 0, 14)


def test_files_that_are_there_need_nothing_else(site, web, tmp_path, monkeypatch):
    """A set that was copied, to a machine without network and yt-dlp: also what was once gone."""
    entries = [site.clip("missing"), *(site.clip(f"mp4_{number}") for number in range(9))]
    site.get(entries[:1])
    (tmp_path / "audio").mkdir()
    for entry in entries:
        soundfile.write(tmp_path / entry.path, np.zeros(8000), 8000)
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    web.asked.clear()
    summary = site.get(entries)
    assert (summary.ok, summary.missing) == (10, 0) and not web.asked
    assert {row.reason for row in read_ledger(tmp_path).values()} == {"found"}
    # Neither sound without the pictures that are asked for is there, nor what was there once.
    (tmp_path / entries[0].path).unlink()
    for frames, count in ((False, 9), (True, 0)):
        with pytest.raises(DownloadStoppedError) as info:
            site.get(entries, frames=frames)
        assert (info.value.summary.ok, info.value.summary.untried) == (count, 10 - count)


def test_a_run_that_stops_says_how_far_it_came(site, web, tmp_path):
    """Five in a row get no answer before and after what is there: it does not depend on order."""
    web.close()
    entries = [site.clip(f"mp4_{number}") for number in range(20)]
    (tmp_path / "audio").mkdir()
    for entry in entries[8:13]:
        soundfile.write(tmp_path / entry.path, np.zeros(8000), 8000)
    with pytest.raises(DownloadStoppedError, match="No answer.*5 clips are there") as info:
        site.get(entries)
    told = "5 of 20 clips are there; 0 gone, 0 failed, 15 not tried: 75.0 % missing."
    assert str(info.value.summary) == told


def test_a_clip_after_the_end_of_its_video(site, tmp_path):
    late = Entry("audio/mp4_000030.flac", "mp4", 30.0, 10.0, "rain", (), "test")
    assert site.get([late]).gone == 1
    assert (
        "ends at 14.0 s, before the clip begins at 30 s" in read_ledger(tmp_path)[late.path].reason
    )


def test_what_is_not_installed(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(DownloadStoppedError, match=r"yt-dlp.*pip install 'asteroid-bimodal\[down"):
        site.get([site.clip("mp4")])
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(DownloadStoppedError, match="no ffmpeg.*pip install imageio-ffmpeg"):
        site.get([site.clip("mp4")])
    assert site.statuses() == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"jobs": 0}, "Give 1 job or more"), ({"sleep": -1.0}, "A pause lasts 0 to 600 s")],
)
def test_impossible_options(site, changes, message):
    with pytest.raises(ValueError, match=message):
        site.get([site.clip("mp4")], **changes)


def test_two_commands_do_not_lose_each_others_clips(tmp_path, monkeypatch):
    pytest.importorskip("fcntl", reason="needs locks of files")
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"{name},0,rain,test\n")
    out, write = tmp_path / "out", run.write_clips

    def meanwhile(root, entries):
        monkeypatch.undo()
        with pytest.raises(DownloadStoppedError, match="Another download is at work"):
            read_set("vggsound", out, [tmp_path / "b.csv"])
        write(root, entries)

    monkeypatch.setattr(run, "write_clips", meanwhile)
    read_set("vggsound", out, [tmp_path / "a.csv"])
    assert [entry.id for entry in read_clips(out)] == ["a"]
    read_set("vggsound", out, [tmp_path / "b.csv"])
    assert [entry.id for entry in read_clips(out)] == ["a", "b"]


def test_clips_are_not_noted_during_a_download(tmp_path):
    pytest.importorskip("fcntl", reason="needs locks of files")
    (tmp_path / "a.csv").write_text("a,0,rain,test\n")
    with open_ledger(tmp_path), pytest.raises(DownloadStoppedError, match="Another download is at"):
        read_set("vggsound", tmp_path, [tmp_path / "a.csv"])
    assert not (tmp_path / "clips.csv").exists()
