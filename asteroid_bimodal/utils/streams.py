"""Standard streams that take any text, and whose readers may go away."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


@contextmanager
def patient_streams() -> Iterator[None]:
    r"""Has standard output and error show what they cannot encode as `\xe9`, and not fail of it.

    When a reader has seen enough, as `| head -1`, the rest goes nowhere and the work goes on.

    Raises:
        OSError: when what was printed cannot be written, for want of space for example.
    """
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):  # a notebook's has none
            reconfigure(errors="backslashreplace")
    output, errors = _Patient(sys.stdout), _Patient(sys.stderr)
    with redirect_stdout(output), redirect_stderr(errors):  # type: ignore[type-var]
        try:
            yield
        finally:
            output.flush()
            errors.flush()


def send_file(path: str | os.PathLike) -> None:
    """Writes a file to standard output; a reader that goes away is no error."""
    output = _Patient(sys.stdout)
    with open(path, "rb") as file:
        output.call(shutil.copyfileobj, file, sys.stdout.buffer)
        output.call(sys.stdout.buffer.flush)


class _Patient:
    """A stream that goes nowhere once its reader is gone, or its disk is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self.call(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self.call(self._stream.flush)

    def call(self, call: Any, *args: Any) -> None:
        try:
            call(*args)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # also for what it holds
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
