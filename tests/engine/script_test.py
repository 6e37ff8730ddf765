"""Scripts of recipes end with a line, and print to any terminal."""

from __future__ import annotations

import io
import sys

import pytest

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.utils.audio_file import UnreadableAudioError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("Expected this,\nreceived that."), "Error: Expected this, received that."),
        (FileNotFoundError("Expected a file."), "Error: Expected a file."),
        (
            UnreadableAudioError(
                "Caught UnreadableAudioError in DataLoader worker process 0.\n"
                "Original Traceback (most recent call last):\n  File …\n"
                "UnreadableAudioError: Found usable audio for 0 labels."
            ),
            "Error: UnreadableAudioError: Found usable audio for 0 labels.",
        ),
    ],
)
def test_an_expected_problem_is_one_line(monkeypatch, error, message):
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def main(_):
        raise error

    with pytest.raises(SystemExit) as caught:
        run_script(main)
    assert caught.value.code == message


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(ZeroDivisionError):
        run_script(lambda _: 1 / 0)


def test_scripts_receive_their_options(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "1"])
    received = []
    run_script(received.append)
    assert received == [["--lr", "1"]]


def test_what_a_terminal_cannot_show_is_escaped(monkeypatch):
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    run_script(lambda _: print("exp/flûte is trained already"))
    assert terminal.getvalue() == rb"exp/fl\xfbte is trained already" + b"\n"
