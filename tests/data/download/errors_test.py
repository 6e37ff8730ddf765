import errno

import pytest

from asteroid_bimodal.data.download import errors
from asteroid_bimodal.data.download.errors import (
    DiskFullError,
    FetchError,
    GoneError,
    RefusedError,
    UnreachableError,
    classify_error,
    disk_watch,
    one_line,
)

# What yt-dlp and YouTube say, word for word; YouTube's apostrophes are curly.
MEANS = "Use --cookies-from-browser or --cookies for the authentication. See  https://a  for how to"
GONE = [
    f"Private video. Sign in if you've been granted access to this video. {MEANS}",
    f"Sign in to confirm your age. This video may be inappropriate for some users. {MEANS}",
    "This video is age-restricted and only available on YouTube. Learn more",
    "Video unavailable. This video is private",
    "Video unavailable. This video is unavailable",
    "This video is unavailable",
    "This video isn’t available anymore",
    "This video has been removed for violating YouTube's policy on hate speech",
    "This video has been removed by the uploader",
    "Video unavailable. This video is no longer available because the uploader has closed their "
    "YouTube account.",
    "This channel was removed because it violated our Community Guidelines.",
    "The uploader has not made this video available in your country\nThis video is available in "
    "Japan.\nYou might want to use a VPN or a proxy server (with --proxy) to workaround.",
    "Video unavailable. This video contains content from SME, who has blocked it in your country "
    "on copyright grounds",
    "This video is not available from your location due to geo restriction",
    "This video is available to this channel’s members on level: Gold (or any higher level).",
    "This video is only available to Music Premium members",
    "This video requires payment to watch.",
    "This live stream recording is not available.",
]
REFUSED = [
    f"Sign in to confirm you’re not a bot. {MEANS}",
    "Video unavailable. This content isn't available, try again later. The current session has "
    "been rate-limited by YouTube for up to an hour.",
    "All player responses are invalid. Your IP is likely being blocked by Youtube",
    "Video unavailable. YouTube is requiring a captcha challenge before playback",
]
LATER = [
    "The following content is not available on this app.. Watch on the latest version of YouTube.",
    "Video unavailable. Playback on other websites has been disabled by the video owner",
    "Video unavailable. This video is unavailable. Error code: 152 - 18",
    "Video unavailable. This content isn’t available.",
    "Unable to download API page: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)",
    "unable to download video data: HTTP Error 404: Not Found",
    "unable to download video data: HTTP Error 403: Forbidden",
    f"Please sign in. {MEANS}",
    "The page needs to be reloaded.",
    "This live event will begin in 5 days.",
    "Premieres in 10 hours",
    "We're processing this video. Check back later.",
    "This video is DRM protected",
    "Requested format is not available. Use --list-formats for a list of available formats",
]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, GoneError) for text in GONE),
        *((text, RefusedError) for text in REFUSED),
        *((text, FetchError) for text in LATER),
        ("Failed to extract any player response; please report this issue on", UnreachableError),
    ],
)
def test_what_youtube_says(text, kind):
    assert type(classify_error(f"ERROR: [youtube] dQw4w9WgXcQ: {text}")) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Video unavailable", FetchError),
        ("This video is not available", FetchError),
        ("This video is not available in your country", GoneError),
        ("Private video", GoneError),
    ],
)
def test_a_player_without_a_runtime_is_not_believed_without_a_why(text, kind):
    hint = "[youtube] No supported JavaScript runtime could be found. Only deno is enabled by"
    assert type(classify_error(f"a: {text}")) is GoneError
    assert type(classify_error(f"a: {text}", ["other", hint])) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERROR: [youtube] a: Private video. Sign in if you've been granted access", GoneError),
        ("[youtube] a: Video unavailable. This video has been removed by the uploader", GoneError),
        ("a: This video is no longer available because the account was terminated", GoneError),
        ("a: The uploader has not made this video available in your country", GoneError),
        ("a: Join this channel to get access to members-only content", GoneError),
        ("Unable to download webpage: HTTP Error 404: Not Found", GoneError),
        ("a: Video unavailable. This content isn't available, try again later", RefusedError),
        ("a: Sign in to confirm you're not a bot. Use --cookies", RefusedError),
        ("HTTP Error 429: Too Many Requests", RefusedError),
        ("Server returned 404 Not Found", FetchError),  # of media whose page is there
        ("a: Requested format is not available", FetchError),
        ("Got error: 10 bytes read, 20 more expected", FetchError),
        ("HTTP Error 403: Forbidden", FetchError),
        ("<urlopen error [Errno -2] Name or service not known>", UnreachableError),
        ("Failed to resolve hostname a.invalid: Temporary failure", UnreachableError),
        ("[Errno 111] Connection refused", UnreachableError),
        ("The read operation timed out", UnreachableError),
        ("HTTP Error 503: Service Unavailable", UnreachableError),
    ],
)
def test_what_a_message_is_about(text, kind):
    assert type(classify_error(text)) is kind


def test_hints_add_to_the_reason_and_do_not_decide():
    found = classify_error("a: Requested format is not available", ["No runtime: HTTP Error 404"])
    assert type(found) is FetchError
    assert str(found) == "a: Requested format is not available — No runtime: HTTP Error 404"


def test_reasons_are_short_lines():
    text = "\x1b[31mERROR:\x1b[0m [generic] Unable\n to  open (caused by X); please report this"
    assert one_line(text) == "Unable to open"
    assert len(one_line("long " * 100)) == 240


def test_a_full_disk(tmp_path):
    with pytest.raises(DiskFullError), disk_watch(tmp_path):
        raise OSError(errno.ENOSPC, "whatever the system says")
    with pytest.raises(PermissionError), disk_watch(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_a_program_that_fails_on_a_full_disk(tmp_path, monkeypatch):
    """Its words do not count: some versions of ffmpeg say nothing of it."""
    with pytest.raises(FetchError, match="No space"), disk_watch(tmp_path):
        raise FetchError("No space left on device")
    full = OSError(errno.EDQUOT, "Disk quota exceeded")
    monkeypatch.setattr(errors, "disk_full_error", lambda folder, error: full)
    with pytest.raises(DiskFullError, match="quota"), disk_watch(tmp_path):
        raise FetchError("is 3.0 s long, expected 10.0 s")
