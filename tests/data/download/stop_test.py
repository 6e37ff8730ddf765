"""Downloads that cannot go on, are stopped or killed, and go on later."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from asteroid_bimodal.data.download import DownloadStoppedError
from asteroid_bimodal.data.download.errors import FetchError
from asteroid_bimodal.data.download.excerpt import Excerpt


def test_a_server_that_asks_for_patience_gets_it(site, web):
    web.busy = 2
    assert site.get([site.clip("mp4")]).ok == 1
    web.busy = 1000
    entries = [site.clip(f"mp4_{number}") for number in range(8)]
    with pytest.raises(DownloadStoppedError, match="refused 5 clips in a row.*429.*--cookies"):
        site.get(entries)
    assert list(site.statuses()) == ["mp4"]


def test_no_network(site, web):
    site.get([site.clip("mp4")])
    web.close()
    entries = [site.clip("mp4"), *(site.clip(f"mp4_{number}") for number in range(50))]
    message = "No answer for 5 clips in a row .*refused.* Check the network. 1 clips are there"
    with pytest.raises(DownloadStoppedError, match=message):
        site.get(entries)
    with pytest.raises(DownloadStoppedError, match="No answer for 2 clips"):
        site.get(entries[:3])
    assert site.statuses() == {"mp4": "ok"} and site.files()[0].startswith("audio")


def test_a_server_that_is_down_for_some_clips_only(site):
    entries = [site.clip("broken"), site.clip("mp4"), site.clip("broken_2")]
    assert site.get(entries, jobs=1).failed == 2
    assert site.statuses() == {"broken": "failed", "mp4": "ok", "broken_2": "failed"}


def _wait_until(condition, process):
    while not condition():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)


def test_a_run_that_is_killed_goes_on(site, web, tmp_path):
    entries = [site.clip(f"mp4_{number}") for number in range(6)] + [
        site.whole(f"held_{n}") for n in range(4)
    ]
    for moment in (3, 7):
        process = site.start(entries)
        _wait_until(lambda moment=moment: len(site.files()) >= moment, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        done = [name for name in site.files() if name.endswith((".flac", ".wav"))]
        kept = {name: (tmp_path / name).stat().st_mtime_ns for name in done if name[0] != "."}
        for name in kept:
            site.assert_seconds(tmp_path / name, *((0, 14) if "tuba" in name else (3, 10)))
    asked = web.asked.copy()
    web.held.set()
    assert site.get(entries).ok == 10
    for name, written in kept.items():
        assert (tmp_path / name).stat().st_mtime_ns == written
        assert (
            web.asked[Path(name).stem.removesuffix("_000003")]
            == asked[Path(name).stem.removesuffix("_000003")]
        )
    assert site.files() == sorted(["download.csv", *(entry.path for entry in entries)])


def test_an_interrupted_run_does_not_wait_for_ffmpeg(site, web):
    process = site.start([site.clip("held"), site.clip("held_2")])
    # The lookup asks for each clip first, ffmpeg after it; neither ever gets all of it.
    _wait_until(lambda: min(web.asked["held"], web.asked["held_2"]) >= 2, process)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == "KeyboardInterrupt()\n" and process.returncode == 0
    assert site.files() == ["download.csv"] and site.statuses() == {}


def test_a_stop_leaves_the_video_and_nothing_of_the_cut(site, monkeypatch):
    def cut(excerpt, target, sample_rate):
        target.write_bytes(b"RIFF")
        excerpt.stop.set()
        raise FetchError("stopped")

    monkeypatch.setattr(Excerpt, "cut_audio", cut)
    site.get([site.whole("mp4")])
    assert site.files() == [".partial/mp4.wav.audio/mp4.mp4", "download.csv"]


def test_a_video_is_taken_up_where_it_was_left(site, web, tmp_path):
    part = tmp_path / ".partial/mp4.wav.audio/mp4.mp4.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(web.media["mp4"][:40_000])
    assert site.get([site.whole("mp4")]).ok == 1
    assert any(headers.get("Range") == "bytes=40000-" for headers in web.headers)
    site.assert_seconds(tmp_path / site.whole("mp4").path, 0, 14)


# Makes the folder of the set a disk of 500 kB; only the process itself sees that mount.
SMALL_DISK = """
import ctypes, json, os, sys
from pathlib import Path

root = json.loads(sys.argv[1])[1]
libc = ctypes.CDLL(None, use_errno=True)
new_user, new_mounts, private = 0x10000000, 0x00020000, 0x44000
ids = {"uid_map": f"0 {os.getuid()} 1", "setgroups": "deny", "gid_map": f"0 {os.getgid()} 1"}
if libc.unshare(new_user | new_mounts):
    sys.exit(3)
for name, content in ids.items():
    Path("/proc/self", name).write_text(content)
if libc.mount(b"none", b"/", None, private, None) or libc.mount(
    b"tmpfs", root.encode(), b"tmpfs", 0, b"size=500k,mode=1777"
):
    sys.exit(3)

import atexit
from asteroid_bimodal.data.download import read_ledger

@atexit.register
def tell():
    print(json.dumps({row.id: row.status for row in read_ledger(root).values()}))
    files = [path for path in Path(root).rglob("*") if path.is_file()]
    print(json.dumps(sorted(path.relative_to(root).as_posix() for path in files)))
"""


def test_a_full_disk(site, web, tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux, to mount a small disk")
    entries = [site.clip(f"mp4_{number}") for number in range(9)]
    process = site.start(entries, before=SMALL_DISK, jobs=1)
    told = process.communicate()[0].splitlines()
    if process.returncode == 3:
        pytest.skip("this system does not let us mount a small disk")
    message, ends, left = told[0], json.loads(told[1]), json.loads(told[2])
    count = len(ends)
    assert message.startswith(f"DiskFullError('There is no room in {tmp_path}")
    assert f"{count} clips are there, whole; the same command goes on from here" in message
    assert set(ends.values()) == {"ok"} and 0 < count < len(entries)
    assert left == sorted([*(entry.path for entry in entries[:count]), "download.csv"])
