"""Standard streams: any text is shown, and a reader may go away."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BEGIN = "import sys\nfrom asteroid_bimodal.utils.streams import patient_streams\n"


def run(code, **options):
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([sys.executable, "-c", BEGIN + code], **options)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_is_shown(encoding):
    code = "with patient_streams():\n    for s in (sys.stdout, sys.stderr):\n"
    code += "        print('é 🎻 \\udcff', file=s)"
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    done = run(code, stdout=subprocess.PIPE, env=env)
    shown = "é 🎻 \udcff\n".encode(encoding, "backslashreplace")
    assert (done.returncode, done.stdout, done.stderr) == (0, shown, shown)


def run_unread(code):
    """Runs code whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run(code, stdout=writer)
    finally:
        os.close(writer)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away_stops_no_work(monkeypatch, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    for size in (1, 100_000):
        done = run_unread(f"with patient_streams():\n    print('x' * {size})\n    sys.exit(7)")
        assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a system without /dev/full")
def test_a_disk_too_full_for_what_is_printed_is_told():
    with open("/dev/full", "w") as full:
        done = run("with patient_streams():\n    print(1)", stdout=full)
    assert done.returncode == 1 and done.stderr.count(b"No space left on device") == 1
