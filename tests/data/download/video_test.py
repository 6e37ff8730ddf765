"""What yt-dlp is told, and what is made of what it says."""

from __future__ import annotations

import threading
import time

import pytest

from asteroid_bimodal.data.download import FetchOptions, read_ledger, video
from asteroid_bimodal.data.download.errors import FetchError


@pytest.fixture
def found(monkeypatch):
    """Adds to what yt-dlp finds out about every video."""

    def add(**more):
        client = video.import_yt_dlp().YoutubeDL
        extract = client.extract_info

        def extract_more(self, address, **options):
            info = extract(self, address, **options)
            formats = [{**known, **more} for known in info["formats"]]
            return {**info, **more, "formats": formats}

        monkeypatch.setattr(client, "extract_info", extract_more)

    return add


def test_what_yt_dlp_does_not_understand_ends_one_clip(site, monkeypatch):
    extract = video.import_yt_dlp().YoutubeDL.extract_info

    def stumble(self, address, **options):
        if "mp3" in address:
            raise TypeError("'NoneType' object is not subscriptable")
        return extract(self, address, **options)

    monkeypatch.setattr(video.import_yt_dlp().YoutubeDL, "extract_info", stumble)
    summary = site.get([site.clip("mp3"), site.clip("mp4")])
    assert (summary.ok, summary.failed) == (1, 1)
    assert summary.reasons == [("yt-dlp: TypeError: 'NoneType' object is not subscriptable", 1)]


def test_an_answer_without_an_address_ends_one_clip(site, monkeypatch):
    process = video.import_yt_dlp().YoutubeDL.process_ie_result

    def forget(self, *info, **options):
        found = process(self, *info, **options)
        if "mp3" in found["webpage_url"]:
            found.pop("url" if "mp3_1" in found["webpage_url"] else "requested_downloads", None)
        return found

    monkeypatch.setattr(video.import_yt_dlp().YoutubeDL, "process_ie_result", forget)
    summary = site.get([site.clip("mp3_1"), site.whole("mp3_2"), site.clip("mp4")])
    assert (summary.ok, summary.failed) == (1, 2)
    reasons = {f"yt-dlp: KeyError: '{name}'" for name in ("url", "requested_downloads")}
    assert {reason for reason, _ in summary.reasons} == reasons


@pytest.mark.parametrize("status", ["is_live", "is_upcoming", "post_live"])
def test_what_is_live_is_tried_again_later(site, web, found, status):
    found(live_status=status)
    assert site.get([site.clip("mp4"), site.whole("mp4_w")]).failed == 2
    assert all("is live" in row.reason for row in read_ledger(site.root).values())
    assert web.asked == {"mp4": 1, "mp4_w": 1}


class Clock(threading.Event):
    """Stands still, and notes who waits for how long and how often the server was asked before."""

    def __init__(self, web):
        super().__init__()
        self.web, self.waits = web, []

    def time(self):
        return 1000.0

    def wait(self, timeout=None):
        self.waits.append((timeout, self.web.asked.total()))
        return self.is_set()


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_fetched_before_the_advertisements_end(web, found, monkeypatch, tmp_path, whole):
    clock = Clock(web)
    monkeypatch.setattr(video, "time", clock)
    found(available_at=1030.0)
    page = video.Video("mp4", FetchOptions(url_template=web.template), clock)
    page.excerpt("audio", tmp_path, 0.0, None if whole else 10.0)
    assert clock.waits == [(30.0, 1)]  # after the lookup
    assert web.asked.total() == (2 if whole else 1)


def test_a_stop_ends_the_wait_for_advertisements(web, found, tmp_path):
    found(available_at=time.time() + 1e6)
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(FetchError, match="stopped"):
        video.Video("mp4", FetchOptions(url_template=web.template), stop).excerpt(
            "audio", tmp_path, 3.0, 10.0
        )


def test_a_stop_ends_a_lookup_before_its_next_request(web, tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(FetchError, match="stopped"):
        video.Video("mp4", FetchOptions(url_template=web.template), stop).excerpt(
            "audio", tmp_path, 3.0, 10.0
        )
    assert not web.asked


def test_cookies_are_sent_and_not_written(site, web):
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\tvalue\n"
    options = FetchOptions(url_template=web.template, cookies=cookies)
    for entry in (site.clip("mp4"), site.whole("wav")):
        web.headers.clear()
        assert site.get([entry], options=options).ok == 1
        assert all("key=value" in headers.get("Cookie", "") for headers in web.headers)


def test_a_template_without_a_place_for_the_id():
    with pytest.raises(ValueError, match=r"There is no \{id\} in the address 'http://a'"):
        FetchOptions(url_template="http://a")


@pytest.mark.parametrize("cookies", ['[{"value": "secret"}]', "key=secret", ""])
def test_cookies_in_another_format(cookies):
    with pytest.raises(ValueError, match="not in Netscape's format.*cookies.txt") as error_info:
        FetchOptions(cookies=cookies)
    assert "secret" not in str(error_info.value)
