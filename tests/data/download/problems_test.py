import errno

import pytest

from asteroid_bimodal.data.download.problems import (
    DiskFullError,
    FetchError,
    GoneError,
    RefusedError,
    UnreachableError,
    disk_watch,
    one_line,
    problem,
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERROR: [youtube] a: Private video. Sign in if you've been granted access", GoneError),
        ("[youtube] a: Video unavailable. This video has been removed by the uploader", GoneError),
        ("a: This video is no longer available because the account was terminated", GoneError),
        ("a: The uploader has not made this video available in your country", GoneError),
        ("a: Join this channel to get access to members-only content", GoneError),
        ("Unable to download webpage: HTTP Error 404: Not Found", GoneError),
        ("Server returned 404 Not Found", GoneError),
        ("a: Video unavailable. This content isn't available, try again later", RefusedError),
        ("a: Sign in to confirm you're not a bot. Use --cookies", RefusedError),
        ("HTTP Error 429: Too Many Requests", RefusedError),
        ("a: Requested format is not available", FetchError),
        ("a: Sign in to confirm your age", FetchError),
        ("Got error: 10 bytes read, 20 more expected", FetchError),
        ("HTTP Error 403: Forbidden", FetchError),
        ("<urlopen error [Errno -2] Name or service not known>", UnreachableError),
        ("Failed to resolve hostname a.invalid: Temporary failure", UnreachableError),
        ("[Errno 111] Connection refused", UnreachableError),
        ("The read operation timed out", UnreachableError),
        ("HTTP Error 503: Service Unavailable", UnreachableError),
        ("Error writing trailer: No space left on device", DiskFullError),
        ("unable to write data: [Errno 122] Disk quota exceeded", DiskFullError),
    ],
)
def test_what_a_message_is_about(text, kind):
    assert type(problem(text)) is kind


def test_hints_add_to_the_reason_and_do_not_decide():
    found = problem("a: Requested format is not available", ["No runtime: HTTP Error 404"])
    assert type(found) is FetchError
    assert str(found) == "a: Requested format is not available — No runtime: HTTP Error 404"


def test_reasons_are_short_lines():
    text = "\x1b[31mERROR:\x1b[0m [generic] Unable\n to  open (caused by X); please report this"
    assert one_line(text) == "Unable to open"
    assert len(one_line("long " * 100)) == 240


def test_a_full_disk():
    with pytest.raises(DiskFullError), disk_watch():
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), disk_watch():
        raise PermissionError(errno.EACCES, "no")
