"""A transfer ends when it is told to, whatever it waits for."""

from __future__ import annotations

import math
import threading
import time
from types import SimpleNamespace

import pytest

from asteroid_bimodal.data.download import FetchOptions, process
from asteroid_bimodal.data.download.fetch import ClipFetcher

# The page or the file that is waited for, whether the whole video is wanted, and how often the
# server was asked by then.
WAITS = [("silent", False, 1), ("drippage", False, 1), ("drip", False, 2), ("drip", True, 2)]


@pytest.fixture
def fetcher(site, web):
    options = FetchOptions(url_template=web.template, timeout=1e6)
    fetcher = ClipFetcher(site.root, options, 0.0, threading.Event())
    yield fetcher
    fetcher.close()


def _wait_until(condition) -> None:
    while not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("way", ["stop", "deadline"])
@pytest.mark.parametrize(("name", "whole", "count"), WAITS)
def test_what_waits_for_a_server_ends(site, web, fetcher, monkeypatch, way, name, whole, count):
    due = threading.Event()
    web.when_asked = lambda _: web.asked[name] == count and due.set()
    if way == "stop":
        monkeypatch.setattr(fetcher, "_stop", due)
    else:
        clock = SimpleNamespace(monotonic=lambda: math.inf if due.is_set() else 0.0)
        monkeypatch.setattr(process, "time", clock)
    entry = (site.whole if whole else site.clip)(name)
    outcome = fetcher.fetch(entry, {"audio": entry.path})
    (row,) = outcome.rows
    reason = "stopped" if way == "stop" else "took longer than --clip-timeout allows"
    assert (row.status, row.reason) == ("failed", reason)
    _wait_until(lambda: not web.open)  # yt-dlp and ffmpeg have left, too
    assert all(file.endswith("mp4.part") for file in site.files())


def test_a_video_that_takes_too_long_is_taken_up_where_it_was_left(site, web, monkeypatch):
    entry = site.whole("drip")
    part = site.root / ".partial/drip.wav.audio/mp4.mp4.part"
    clock = SimpleNamespace(
        monotonic=lambda: math.inf if part.is_file() and part.stat().st_size else 0.0
    )
    monkeypatch.setattr(process, "time", clock)
    summary = site.get([entry])
    assert summary.reasons == [("took longer than --clip-timeout allows", 1)]
    assert summary.failed == 1
    monkeypatch.undo()
    web.held.set()
    size = part.stat().st_size
    assert site.get([entry]).ok == 1
    assert any(headers.get("Range") == f"bytes={size}-" for headers in web.headers)
    site.assert_seconds(site.root / entry.path, 0, 14)
