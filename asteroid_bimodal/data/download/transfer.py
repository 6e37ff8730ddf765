"""A script: in a process of its own, yt-dlp finds or fetches videos, and ffmpeg cuts them.

A process can be ended whatever it waits for. It is told in JSON what to do, answers in JSON, and
ends with whoever started it. It imports nothing of the package, so that it starts fast.
"""

from __future__ import annotations

import io
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

_LIVE = ("is_live", "is_upcoming", "post_live")


def main() -> None:
    sys.path[:] = json.loads(sys.argv[1])
    answers = Connection(os.dup(1))
    os.dup2(2, 1)  # what others print is no answer
    requests: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    while True:
        request = json.loads(requests.get())
        answer: dict[str, Any] = {"warnings": []}
        try:
            _transfer(request, answer)
        except Exception as error:  # on a page of a new form, yt-dlp raises a KeyError or the like
            known = type(error).__module__.startswith("yt_dlp") or isinstance(error, _Refusal)
            answer["error"] = str(error) if known else f"yt-dlp: {type(error).__name__}: {error}"
            answer["errno"] = _errno(error)
        answers.send_bytes(json.dumps(answer).encode())


def _receive(requests: queue.Queue[bytes]) -> None:
    """Ends this process, and those it has started, when nobody is left to ask for anything."""
    connection = Connection(os.dup(0))
    try:
        while True:
            requests.put(connection.recv_bytes())
    except EOFError:
        os.killpg(0, signal.SIGKILL)


class _Refusal(Exception):
    """A video that is not what was expected."""


def _transfer(request: dict[str, Any], answer: dict[str, Any]) -> None:
    import yt_dlp

    params = {**request["params"], "logger": _Log(answer["warnings"])}
    if request["cookies"] is not None:
        # A stream: yt-dlp would write the cookies that it gets back into a file.
        params["cookiefile"] = io.StringIO(request["cookies"])
    with yt_dlp.YoutubeDL(params) as client:
        info = request["info"]
        if info is None:
            info = client.sanitize_info(client.extract_info(request["address"], download=False))
            answer["info"] = info
        if "formats" not in info:
            raise _Refusal("expected one video at this address, found a list")
        if info.get("live_status") in _LIVE:
            raise _Refusal("is live, or about to be: its seconds are not settled yet")
        chosen = client.process_ie_result(client.sanitize_info(info), download=False)
        answer["duration"] = chosen.get("duration")
        if request["whole"]:
            fetched = client.process_ie_result(client.sanitize_info(info), download=True)
            source = fetched["requested_downloads"][0]["filepath"]
            options = request["of_file"]
        else:
            # YouTube sends nothing before the advertisements would have ended. Before it fetches a
            # whole video, yt-dlp waits by itself.
            time.sleep(max(0.0, (chosen.get("available_at") or 0.0) - time.time()))
            source = chosen["url"]
            options = [*request["of_address"], *_headers(client, chosen)]
    answer["source"] = source
    command = [*request["ffmpeg"], *options, *request["excerpt"], "-i", source, *request["output"]]
    nothing = subprocess.DEVNULL
    ended = subprocess.run(command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE)
    answer["code"], answer["log"] = ended.returncode, ended.stderr.decode("utf-8", "replace")


def _headers(client: Any, chosen: dict[str, Any]) -> list[str]:
    headers = dict(chosen.get("http_headers") or {})
    if cookies := client.cookiejar.get_cookie_header(chosen["url"]):
        headers["Cookie"] = cookies
    clean = {name: re.sub(r"[\r\n]", "", str(value)) for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in clean.items())
    return ["-headers", lines] if lines else []


def _errno(error: BaseException | None) -> int | None:
    """The system's number of the first OSError behind an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


class _Log:
    """Keeps the first warnings of yt-dlp."""

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings

    def debug(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        if len(self._warnings) < 2 and "generic information extractor" not in message:
            self._warnings.append(message)

    error = debug  # it is raised, too


if __name__ == "__main__":
    main()
