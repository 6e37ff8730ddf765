"""Running ffmpeg; what it makes is tested with downloads of real media."""

import sys
import threading

import pytest

from asteroid_bimodal.data.download import excerpt
from asteroid_bimodal.data.download.errors import FetchError

FOREVER = [sys.executable, "-c", "import threading; threading.Event().wait()"]


def test_all_that_a_command_says(monkeypatch):
    monkeypatch.setattr(excerpt, "_POLL", 0.01)
    words = "import sys, time; sys.stderr.write('a' * 500_000); time.sleep(0.3)"
    command = [sys.executable, "-c", f"{words}; sys.stderr.write('b' * 500_000); sys.exit(3)"]
    code, log = excerpt._run(command, threading.Event())
    assert (code, log) == (3, "a" * 500_000 + "b" * 500_000)


def test_a_stop_ends_a_command():
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(FetchError, match="stopped"):
        excerpt._run(FOREVER, stop)


def test_a_command_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(excerpt, "_LONGEST_RUN", 0.3)
    with pytest.raises(FetchError, match="given up after 0 s"):
        excerpt._run(FOREVER, threading.Event())
