"""What yt-dlp is told, and what is made of what it says."""

from __future__ import annotations

import pytest

from asteroid_bimodal.data.download import FetchOptions, read_ledger


@pytest.fixture
def yt_dlp_where(tmp_path_factory, monkeypatch):
    """Has the processes that transfer run some code after they have imported yt-dlp."""

    def change(code: str) -> None:
        folder = str(tmp_path_factory.mktemp("changed"))
        first = f"import sys\nsys.path.remove({folder!r})\ndel sys.modules['yt_dlp']\nimport yt_dlp"
        with open(f"{folder}/yt_dlp.py", "w") as file:
            file.write(f"{first}\nclient = yt_dlp.YoutubeDL\n{code}")
        monkeypatch.syspath_prepend(folder)

    return change


FOUND = """
extract = client.extract_info

def extract_more(self, address, **options):
    info = extract(self, address, **options)
    more = {more}
    return {{**info, **more, "formats": [{{**known, **more}} for known in info["formats"]]}}

client.extract_info = extract_more
"""


def test_what_yt_dlp_does_not_understand_ends_one_clip(site, yt_dlp_where):
    yt_dlp_where("""
extract = client.extract_info

def stumble(self, address, **options):
    if "mp3" in address:
        raise TypeError("'NoneType' object is not subscriptable")
    return extract(self, address, **options)

client.extract_info = stumble
""")
    summary = site.get([site.clip("mp3"), site.clip("mp4")])
    assert (summary.ok, summary.failed) == (1, 1)
    assert summary.reasons == [("yt-dlp: TypeError: 'NoneType' object is not subscriptable", 1)]


def test_an_answer_without_an_address_ends_one_clip(site, yt_dlp_where):
    yt_dlp_where("""
process = client.process_ie_result

def forget(self, *info, **options):
    found = process(self, *info, **options)
    if "mp3" in found["webpage_url"]:
        found.pop("url" if "mp3_1" in found["webpage_url"] else "requested_downloads", None)
    return found

client.process_ie_result = forget
""")
    summary = site.get([site.clip("mp3_1"), site.whole("mp3_2"), site.clip("mp4")])
    assert (summary.ok, summary.failed) == (1, 2)
    reasons = {f"yt-dlp: KeyError: '{name}'" for name in ("url", "requested_downloads")}
    assert {reason for reason, _ in summary.reasons} == reasons


def test_a_process_that_dies_ends_one_clip(site, yt_dlp_where):
    yt_dlp_where("""
import os
extract = client.extract_info
client.extract_info = lambda self, address, **options: (
    os._exit(7) if "mp3" in address else extract(self, address, **options)
)
""")
    summary = site.get([site.clip("mp3"), site.clip("mp4")], jobs=1)
    assert (summary.ok, summary.reasons) == (1, [("yt-dlp's process ended with 7", 1)])


@pytest.mark.parametrize("status", ["is_live", "is_upcoming", "post_live"])
def test_what_is_live_is_tried_again_later(site, web, yt_dlp_where, status):
    yt_dlp_where(FOUND.format(more={"live_status": status}))
    assert site.get([site.clip("mp4"), site.whole("mp4_w")], jobs=1).failed == 2
    assert all("is live" in row.reason for row in read_ledger(site.root).values())
    assert web.asked == {"mp4": 1, "mp4_w": 1}


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_fetched_before_the_advertisements_end(site, web, yt_dlp_where, whole):
    asked = []
    web.when_asked = asked.append
    # A wait shows as one more question to the server.
    yt_dlp_where(
        FOUND.format(more={"available_at": 1030.0})
        + f"""
import time, urllib.error, urllib.request

def sleep(seconds):
    try:
        urllib.request.urlopen(f"{web.url}/missing_{{seconds:g}}")
    except urllib.error.HTTPError:
        pass

time.sleep, time.time = sleep, lambda: 1000.0
"""
    )
    assert site.get([(site.whole if whole else site.clip)("mp4")]).ok == 1
    assert asked[:3] == ["mp4", "missing_30", "mp4"]


def test_cookies_are_sent_and_not_written(site, web):
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\tvalue\n"
    options = FetchOptions(url_template=web.template, cookies=cookies)
    assert site.get([site.clip("mp4"), site.whole("wav")], options=options, jobs=1).ok == 2
    assert all("key=value" in headers.get("Cookie", "") for headers in web.headers)


def test_a_template_without_a_place_for_the_id():
    with pytest.raises(ValueError, match=r"There is no \{id\} in the address 'http://a'"):
        FetchOptions(url_template="http://a")


@pytest.mark.parametrize("name", ["timeout", "clip_timeout"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_times_that_make_no_sense(name, seconds):
    with pytest.raises(ValueError, match=f"A {name} is a number of seconds above 0"):
        FetchOptions(**{name: seconds})


@pytest.mark.parametrize("cookies", ['[{"value": "secret"}]', "key=secret", ""])
def test_cookies_in_another_format(cookies):
    with pytest.raises(ValueError, match="not in Netscape's format.*cookies.txt") as error_info:
        FetchOptions(cookies=cookies)
    assert "secret" not in str(error_info.value)
