"""Downloads from a real server of real media, with what goes wrong on the real internet."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from asteroid_bimodal.cli import main as cli
from asteroid_bimodal.data.download import (
    DiskFullError,
    DownloadStoppedError,
    Entry,
    FetchOptions,
    Row,
    download,
    read_ledger,
    read_set,
    run,
    video,
    write_manifests,
)
from asteroid_bimodal.data.download import ledger as ledger_module
from asteroid_bimodal.data.frames import frames_of
from asteroid_bimodal.data.manifest import read_manifest


def clip(name: str, split: str = "test") -> Entry:
    return Entry(f"audio/{name}_000003.flac", name, 3.0, 10.0, "rain", (), split)


def whole(name: str) -> Entry:
    return Entry(f"solo/audio/tuba/{name}.wav", name, 0.0, None, "tuba", (), "train")


def get(web, root, entries, *, timeout=1.0, **changes):
    options = FetchOptions(url_template=web.template, timeout=timeout)
    return download(entries, root, **{"options": options, "sleep": 0.0, "jobs": 2, **changes})


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def statuses(root: Path) -> dict[str, str]:
    return {row.id: row.status for row in read_ledger(root).values()}


def assert_seconds(path: Path, first: int, count: int) -> None:
    """A file is mono, of 16 kHz and half the loudness, and every second has its tone."""
    audio, rate = soundfile.read(path)
    assert rate == 16_000 and audio.ndim == 1 and soundfile.info(path).subtype == "PCM_16"
    assert len(audio) == pytest.approx(count * rate, abs=0.06 * rate)
    for second in range(count):
        middle = audio[int((second + 0.25) * rate) : int((second + 0.75) * rate)]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
        assert 2 * np.argmax(spectrum) == pytest.approx(300 + 100 * (first + second), abs=4)
        assert np.abs(middle).max() == pytest.approx(0.25, rel=0.1)


@pytest.mark.parametrize("kind", ["mp4", "mp3", "wav", "moved", "slow"])
def test_the_seconds_that_were_asked_for(web, tmp_path, kind):
    summary = get(web, tmp_path, [clip(kind)])
    assert (summary.ok, summary.gone, summary.failed) == (1, 0, 0)
    assert files(tmp_path) == [f"audio/{kind}_000003.flac", "download.csv"]
    assert_seconds(tmp_path / f"audio/{kind}_000003.flac", 3, 10)
    row = read_ledger(tmp_path)[f"audio/{kind}_000003.flac"]
    assert row.seconds == pytest.approx(10, abs=0.06) and (row.start, row.reason) == (3.0, "")


@pytest.mark.parametrize("kind", ["mp4", "moved"])
def test_a_whole_video(web, tmp_path, kind):
    assert get(web, tmp_path, [whole(kind)]).ok == 1
    assert files(tmp_path) == ["download.csv", f"solo/audio/tuba/{kind}.wav"]
    assert_seconds(tmp_path / f"solo/audio/tuba/{kind}.wav", 0, 14)


def test_frames_show_their_seconds(web, tmp_path):
    assert get(web, tmp_path, [clip("mp4"), whole("moved")], frames=True).ok == 2
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


def test_frames_are_fetched_beside_sound_that_is_there(web, tmp_path):
    get(web, tmp_path, [clip("mp4")])
    before = (tmp_path / clip("mp4").path).stat().st_mtime_ns
    assert get(web, tmp_path, [clip("mp4")], frames=True).ok == 1
    assert (tmp_path / clip("mp4").path).stat().st_mtime_ns == before
    summary = get(web, tmp_path, [clip("wav")], frames=True)
    assert (summary.ok, summary.gone) == (0, 1) and summary.reasons == [("has no pictures", 1)]


BAD = {
    "missing": ("gone", "404"),
    "page": ("failed", "Unsupported URL"),
    "html": ("failed", "Invalid data"),
    "truncated": ("failed", "is 3.8 s long, expected 10.0 s"),
    "stalled": ("failed", ""),
}


def test_each_clip_ends_in_its_own_way(web, tmp_path):
    entries = [clip("mp4"), *(clip(kind) for kind in BAD), whole("truncated_w"), whole("html_w")]
    summary = get(web, tmp_path, entries)
    assert (summary.ok, summary.gone, summary.failed) == (1, 1, 6)
    rows = {row.id: row for row in read_ledger(tmp_path).values()}
    for kind, (status, reason) in BAD.items():
        assert rows[kind].status == status and reason in rows[kind].reason
    assert "more expected" in rows["truncated_w"].reason
    assert "Invalid data" in rows["html_w"].reason
    assert files(tmp_path) == ["audio/mp4_000003.flac", "download.csv"]
    assert str(summary).startswith("1 of 8 clips are there; 1 gone, 6 failed: 87.5 % missing.\n  ")


def test_what_another_run_tries(web, tmp_path):
    entries = [clip("mp4"), clip("missing"), clip("html")]
    get(web, tmp_path, entries)
    before = web.asked.copy()
    get(web, tmp_path, entries)
    assert web.asked - before == {"html": before["html"]}
    get(web, tmp_path, entries, retry_gone=True)
    assert web.asked["missing"] == 2 * before["missing"]
    web.media["html"], web.TYPES = web.media["mp4"], {**web.TYPES, "html": "video/mp4"}
    (tmp_path / entries[0].path).unlink()
    summary = get(web, tmp_path, [clip("mp4"), clip("missing")])
    assert summary.ok == 1 and (tmp_path / entries[0].path).is_file()


def test_what_yt_dlp_does_not_understand_ends_one_clip(web, tmp_path, monkeypatch):
    extract = video.import_yt_dlp().YoutubeDL.extract_info

    def stumble(self, address, **options):
        if "mp3" in address:
            raise TypeError("'NoneType' object is not subscriptable")
        return extract(self, address, **options)

    monkeypatch.setattr(video.import_yt_dlp().YoutubeDL, "extract_info", stumble)
    summary = get(web, tmp_path, [clip("mp3"), clip("mp4")])
    assert (summary.ok, summary.failed) == (1, 1)
    assert summary.reasons == [("yt-dlp: TypeError: 'NoneType' object is not subscriptable", 1)]


def test_files_that_were_put_there_by_hand(web, tmp_path):
    (tmp_path / "solo/audio/tuba").mkdir(parents=True)
    soundfile.write(tmp_path / whole("mine").path, np.zeros(8000), 8000)
    (tmp_path / whole("mp4").path).write_bytes(b"RIFF")
    assert get(web, tmp_path, [whole("mine"), whole("mp4")]).ok == 2
    rows = read_ledger(tmp_path)
    assert rows[whole("mine").path].reason == "found" and not web.asked["mine"]
    assert_seconds(tmp_path / whole("mp4").path, 0, 14)


def test_a_clip_after_the_end_of_its_video(web, tmp_path):
    late = Entry("audio/mp4_000030.flac", "mp4", 30.0, 10.0, "rain", (), "test")
    assert get(web, tmp_path, [late]).gone == 1
    assert (
        "ends at 14.0 s, before the clip begins at 30 s" in read_ledger(tmp_path)[late.path].reason
    )


def test_a_server_that_asks_for_patience_gets_it(web, tmp_path):
    web.busy = 2
    assert get(web, tmp_path, [clip("mp4")]).ok == 1
    web.busy = 1000
    entries = [clip(f"mp4_{number}") for number in range(8)]
    with pytest.raises(DownloadStoppedError, match="refused 5 clips in a row.*429.*--cookies"):
        get(web, tmp_path, entries)
    assert list(statuses(tmp_path)) == ["mp4"]


def test_no_network(web, tmp_path):
    get(web, tmp_path, [clip("mp4")])
    web.close()
    entries = [clip("mp4"), *(clip(f"mp4_{number}") for number in range(50))]
    message = "No answer for 5 clips in a row .*refused.* Check the network. 1 clips are there"
    with pytest.raises(DownloadStoppedError, match=message):
        get(web, tmp_path, entries)
    with pytest.raises(DownloadStoppedError, match="No answer for 2 clips"):
        get(web, tmp_path, entries[:3])
    assert statuses(tmp_path) == {"mp4": "ok"} and files(tmp_path)[0].startswith("audio")


def test_a_server_that_is_down_for_some_clips_only(web, tmp_path):
    entries = [clip("broken"), clip("mp4"), clip("broken_2")]
    assert get(web, tmp_path, entries, jobs=1).failed == 2
    assert statuses(tmp_path) == {"broken": "failed", "mp4": "ok", "broken_2": "failed"}


def test_cookies_are_sent_and_not_written(web, tmp_path):
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\tvalue\n"
    options = FetchOptions(url_template=web.template, cookies=cookies)
    for entry in (clip("mp4"), whole("wav")):
        web.headers.clear()
        assert get(web, tmp_path, [entry], options=options).ok == 1
        assert all("key=value" in headers.get("Cookie", "") for headers in web.headers)


def _run(web, root, entries):
    get(web, root, entries)


def test_a_run_that_is_killed_goes_on(web, tmp_path):
    entries = [clip(f"mp4_{number}") for number in range(6)] + [
        whole(f"slow_{n}") for n in range(4)
    ]
    fork = multiprocessing.get_context("fork")
    for moment in (3, 7):
        process = fork.Process(target=_run, args=(web, tmp_path, entries))
        process.start()
        deadline = time.monotonic() + 20
        while len(files(tmp_path)) < moment and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        done = [name for name in files(tmp_path) if name.endswith((".flac", ".wav"))]
        kept = {name: (tmp_path / name).stat().st_mtime_ns for name in done if name[0] != "."}
        for name in kept:
            assert_seconds(tmp_path / name, *((0, 14) if "tuba" in name else (3, 10)))
    asked = web.asked.copy()
    assert get(web, tmp_path, entries).ok == 10
    for name, written in kept.items():
        assert (tmp_path / name).stat().st_mtime_ns == written
        assert (
            web.asked[Path(name).stem.removesuffix("_000003")]
            == asked[Path(name).stem.removesuffix("_000003")]
        )
    assert files(tmp_path) == sorted(["download.csv", *(entry.path for entry in entries)])


def test_a_video_is_taken_up_where_it_was_left(web, tmp_path):
    part = tmp_path / ".partial/mp4.wav.audio/mp4.mp4.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(web.media["mp4"][:40_000])
    assert get(web, tmp_path, [whole("mp4")]).ok == 1
    assert any(headers.get("Range") == "bytes=40000-" for headers in web.headers)
    assert_seconds(tmp_path / whole("mp4").path, 0, 14)


def _run_on_a_small_disk(web, root, entries, pipe):
    """In a process of its own, whose mounts nobody else sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_user, new_mounts, private = 0x10000000, 0x00020000, 0x44000
    ids = {"uid_map": f"0 {os.getuid()} 1", "setgroups": "deny", "gid_map": f"0 {os.getgid()} 1"}
    if libc.unshare(new_user | new_mounts):
        pipe.send(None)
        return
    for name, content in ids.items():
        Path("/proc/self", name).write_text(content)
    if libc.mount(b"none", b"/", None, private, None) or libc.mount(
        b"tmpfs", str(root).encode(), b"tmpfs", 0, b"size=500k,mode=1777"
    ):
        pipe.send(None)
        return
    try:
        get(web, root, entries, jobs=1)
    except DiskFullError as error:
        pipe.send((str(error), statuses(root), files(root)))


def test_a_full_disk(web, tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux, to mount a small disk")
    fork = multiprocessing.get_context("fork")
    entries = [clip(f"mp4_{number}") for number in range(9)]
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_run_on_a_small_disk, args=(web, tmp_path, entries, theirs))
    process.start()
    process.join(30)
    if process.is_alive():
        process.kill()
    assert ours.poll(), "neither a full disk nor the end of it"
    if not (told := ours.recv()):
        pytest.skip("this system does not let us mount a small disk")
    message, ends, left = told
    count = len(ends)
    assert f"No space left for {tmp_path}" in message
    assert f"{count} clips are there, whole; the same command goes on from here" in message
    assert set(ends.values()) == {"ok"} and 0 < count < len(entries)
    assert left == sorted([*(entry.path for entry in entries[:count]), "download.csv"])


def test_what_is_not_installed(web, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(DownloadStoppedError, match=r"yt-dlp.*pip install 'asteroid-bimodal\[down"):
        get(web, tmp_path, [clip("mp4")])
    monkeypatch.undo()
    monkeypatch.setattr(video, "import_yt_dlp", lambda: None)
    monkeypatch.setattr(run, "import_yt_dlp", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(FileNotFoundError, match="Expected ffmpeg.*pip install imageio-ffmpeg"):
        get(web, tmp_path, [clip("mp4")])
    assert statuses(tmp_path) == {}


@pytest.mark.parametrize("changes", [{"jobs": 0}, {"sleep": -1.0}])
def test_impossible_options(web, tmp_path, changes):
    with pytest.raises(ValueError, match="Expected"):
        get(web, tmp_path, [clip("mp4")], **changes)


def test_a_template_without_a_place_for_the_id():
    with pytest.raises(ValueError, match=r"an address with \{id\} in it.*received 'http://a'"):
        FetchOptions(url_template="http://a")


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
    read_set("vggsound", tmp_path, [_annotations(tmp_path, ["a", "b"])])
    with ledger_module.Ledger(tmp_path) as ledger:
        ledger.append(Row("audio/a_000003.flac", "a", 3.0, "ok", "", 10.0))
    assert write_manifests(tmp_path)["test"].read_text().count("\n") == 1


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
    assert "gone=1" in printed.err and "ok=1" in printed.err
    (row,) = read_manifest(tmp_path / "out/test.csv")
    assert (row.label, row.seconds) == ("bird chirping, tweeting", pytest.approx(10, abs=0.06))
    with pytest.raises(SystemExit, match="1 clips failed. The same command tries them again."):
        command(web, tmp_path, ["mp4", "html"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--limit", "0"], "expected a whole number from 1 on, received '0'"),
        (["--rate-limit", "fast"], "expected bytes such as 500K or 2M, received 'fast'"),
        (["--cookies", "none.txt"], "Expected a cookies.txt at none.txt, found none"),
        (["--split", "train"], "Expected clips of the split train, the annotations list none"),
        (["--url-template", "http://a"], "Expected an address with {id} in it"),
    ],
)
def test_what_the_command_is_told(web, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as exit_info:
        command(web, tmp_path, ["mp4"], *more)
    assert message in f"{exit_info.value.code}{capsys.readouterr().err}"
