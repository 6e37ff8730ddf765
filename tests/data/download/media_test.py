"""Running ffmpeg; what it makes is tested with downloads of real media."""

import sys
import threading
import time

import pytest

from asteroid_bimodal.data.download import media
from asteroid_bimodal.data.download.problems import FetchError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_all_that_a_command_says(monkeypatch):
    monkeypatch.setattr(media, "_GLANCE", 0.01)
    words = "import sys, time; sys.stderr.write('a' * 500_000); time.sleep(0.3)"
    command = [sys.executable, "-c", f"{words}; sys.stderr.write('b' * 500_000); sys.exit(3)"]
    code, log = media._watch(command, threading.Event())
    assert (code, log) == (3, "a" * 500_000 + "b" * 500_000)


def test_a_stop_ends_a_command():
    stop, start = threading.Event(), time.monotonic()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(FetchError, match="stopped"):
        media._watch(SLEEP, stop)
    assert time.monotonic() - start < 3


def test_a_command_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(media, "_LONGEST_RUN", 0.3)
    with pytest.raises(FetchError, match="given up after 0 s"):
        media._watch(SLEEP, threading.Event())
