"""Downloads that cannot go on, are stopped or killed, and go on later."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asteroid_bimodal.data.download import DownloadStoppedError
from asteroid_bimodal.data.download.errors import FetchError
from asteroid_bimodal.data.download.video import Video


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


def _wait_until(condition, process=None):
    while not condition():
        assert process is None or process.poll() is None, process.stdout.read()
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
        _wait_until(lambda: not web.open)  # what it had started has left, too
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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_command_and_what_it_has_started(site, web, name):
    table = site.root.parent / "vggsound.csv"
    table.write_text("".join(f"{clip},3,rain,test\n" for clip in ("drip", "drip_2")))
    command = [sys.executable, "-m", "asteroid_bimodal", "download", "vggsound", "--sleep", "0"]
    command += ["--out", site.root, "--annotations", table, "--url-template", web.template]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    _wait_until(lambda: min(web.asked["drip"], web.asked["drip_2"]) >= 2, process)
    process.send_signal(number := getattr(signal, name))
    log = process.communicate()[1]
    assert process.returncode == 128 + number and log.endswith("asteroid-bimodal: stopped.\n")
    _wait_until(lambda: not web.open)
    assert site.files() == ["clips.csv", "download.csv"] and site.statuses() == {}


def test_a_stop_leaves_the_video_and_nothing_of_the_cut(site, monkeypatch):
    cut = Video.cut

    def cut_and_stop(video, *args, **options):
        cut(video, *args, **options)
        video.process.stop.set()
        raise FetchError("stopped")

    monkeypatch.setattr(Video, "cut", cut_and_stop)
    site.get([site.whole("mp4")])
    assert site.files() == [".partial/mp4.wav.audio/mp4.mp4", "download.csv"]


def test_what_a_killed_run_left_beside_a_finished_clip_goes(site):
    entry = site.clip("mp4")
    site.get([entry])
    (site.root / "download.csv").unlink()  # killed before its row
    left = site.root / ".partial/mp4_000003.flac.audio/tmp/mp4_000003.flac"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"fLaC")
    assert site.get([entry]).ok == 1
    assert site.files() == [entry.path, "download.csv"]


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


LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


@pytest.mark.parametrize("whole", [False, True])
def test_a_limit_of_the_size_of_files(site, whole):
    pytest.importorskip("resource", reason="needs limits of processes")
    process = site.start([(site.whole if whole else site.clip)("wav")], before=LIMIT)
    assert process.communicate()[0].startswith(f"DiskFullError('A file in {site.root}")
    assert site.statuses() == {} and not list(site.root.rglob("*.flac"))


@pytest.mark.slow
def test_runs_that_are_killed_at_any_moment(site, web):
    """Twelve kills, at moments that are drawn; then a run to its end."""
    entries = [site.clip(f"mp4_{number}") for number in range(3)]
    entries += [site.whole(f"slow_{number}") for number in range(3)]
    rng, kills = random.Random(0), 0
    while kills < 12:
        process = site.start(entries)
        begun, ended = web.asked.total(), process.poll
        _wait_until(lambda n=begun, ended=ended: web.asked.total() > n or ended() is not None)
        time.sleep(rng.uniform(0.0, 1.0))
        kills += process.poll() is None
        process.kill()
        process.communicate()
        if len(site.statuses()) == len(entries):  # all are there: from the beginning
            assert set(site.statuses().values()) == {"ok"}
            shutil.rmtree(site.root)
    assert site.get(entries).ok == len(entries)
    for entry in entries:
        site.assert_seconds(site.root / entry.path, *((3, 10) if entry.seconds else (0, 14)))
    lines = (site.root / "download.csv").read_text().splitlines()
    assert len(lines) == 1 + len(entries) == len(set(lines))
    assert site.files() == sorted(["download.csv", *(entry.path for entry in entries)])
