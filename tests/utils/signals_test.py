"""Signals to stop: the first one interrupts, later ones leave the tidying up alone."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from asteroid_bimodal.utils.signals import StopRequest, StopSignal, exit_code, stopped_by_signals

STOP = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]


@pytest.mark.parametrize("number", STOP)
def test_a_signal_interrupts_once_and_the_handlers_come_back(number):
    before, tidied = [signal.getsignal(one) for one in STOP], []
    with pytest.raises(KeyboardInterrupt) as stopped, stopped_by_signals():
        try:
            os.kill(os.getpid(), number)
        finally:
            for later in STOP:
                os.kill(os.getpid(), later)
                tidied.append(later)
    assert tidied == STOP and exit_code(stopped.value) == 128 + number
    assert [signal.getsignal(one) for one in STOP] == before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with stopped_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_only_run_their_block():
    done = []

    def run():
        with stopped_by_signals():
            done.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGTERM)]


def test_ctrl_c_of_others_has_the_same_code():
    assert exit_code(KeyboardInterrupt()) == exit_code(StopSignal(signal.SIGINT)) == 130


def test_a_request_waits_but_for_a_second_ctrl_c():
    request = StopRequest()
    request.obey()
    before = [signal.getsignal(one) for one in [*STOP, signal.SIGCHLD]]
    try:
        request.listen()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # the same stop, handed on
        with pytest.raises(StopSignal):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        for number, handler in zip([*STOP, signal.SIGCHLD], before, strict=True):
            signal.signal(number, handler)
    with pytest.raises(StopSignal, match="SIGINT"):
        request.obey()
