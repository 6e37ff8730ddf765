"""Processes for transfers, which end at once: with the run, or when one takes too long."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from .errors import FetchError, SlowError

_SCRIPT = Path(__file__).with_name("transfer.py")
_POLL = 0.1  # seconds between two looks at whether the run is stopped
_END = 5.0  # seconds that a process has to end by itself


class TransferProcess:
    """Does one transfer after the other, see `transfer.py`; `stop` ends them when it is set."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self._process: subprocess.Popen | None = None

    def run(self, request: dict[str, Any], end: float) -> dict[str, Any]:
        """Returns the answer; a transfer that takes until the time `end` raises a `SlowError`."""
        if self._process is None:
            self._start()
        try:
            self._requests.send_bytes(json.dumps(request).encode())
            while not self._answers.poll(_POLL):
                if self.stop.is_set():
                    raise FetchError("stopped")
                if time.monotonic() > end:
                    raise SlowError("took longer than --clip-timeout allows")
            return json.loads(self._answers.recv_bytes())
        except BaseException as error:
            code = self.close()
            if isinstance(error, EOFError | OSError):
                raise FetchError(f"yt-dlp's process ended with {code}") from error
            raise

    def close(self) -> int | None:
        """Ends the process, with what it does; the next transfer starts another one."""
        process, self._process = self._process, None
        if process is None:
            return None
        self._requests.close()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
        self._answers.close()
        return process.wait()

    def _start(self) -> None:
        reads, self._requests = Pipe(duplex=False)
        self._answers, writes = Pipe(duplex=False)
        with reads, writes:
            # A session of its own: a Ctrl-C in the terminal is for the run, which ends it then.
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_SCRIPT), json.dumps([str(path) for path in sys.path])],
                stdin=reads.fileno(),
                stdout=writes.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
