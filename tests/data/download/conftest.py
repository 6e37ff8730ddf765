"""A server of real media on this machine, whose every second can be told from the others."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from ffmpeg_program import ffmpeg

from asteroid_bimodal.data.download import Entry, FetchOptions, Summary, download, read_ledger

RATE = 22_050
SECONDS = 14


@pytest.fixture(scope="session")
def media(tmp_path_factory) -> dict[str, bytes]:
    """Fourteen seconds, a tone of its own in each, brighter and brighter, in several formats."""
    pytest.importorskip("yt_dlp", reason="downloads need yt-dlp")
    program = ffmpeg()
    folder = tmp_path_factory.mktemp("media")
    time_ = np.arange(SECONDS * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * (300.0 + 100.0 * np.floor(time_)) * (time_ % 1))
    # Only on the left: an average of the channels has half of its loudness.
    soundfile.write(folder / "a.wav", np.stack([tone, 0 * tone], axis=1), RATE)
    picture = f"nullsrc=s=32x24:r=5:d={SECONDS},geq=lum='16+T*15':cb=128:cr=128"
    command = [program, "-loglevel", "error", "-f", "lavfi", "-i", picture, "-i", folder / "a.wav"]
    command += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "40", "-c:a", "aac"]
    subprocess.run([*command, "-movflags", "+faststart", folder / "a.mp4"], check=True)
    for name in ("a.mp3", "a.ogg", "a.flac"):
        subprocess.run(
            [program, "-loglevel", "error", "-i", folder / "a.wav", folder / name], check=True
        )
    return {path.suffix[1:]: path.read_bytes() for path in folder.iterdir()}


# What names another file is no media, whatever it is called.
PLAYLISTS = {
    "concat": b"ffconcat version 1.0\nfile secret.wav\n",
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:14\n#EXTINF:14,\nsecret.wav\n#EXT-X-ENDLIST\n",
}


class Web:
    """The server: `/<kind>…`, where the kind says what happens to those who ask."""

    TYPES = {
        **{"mp4": "video/mp4", "wav": "audio/wav", "mp3": "audio/mpeg"},
        **{"ogg": "audio/ogg", "flac": "audio/flac"},
    }

    def __init__(self, media: dict[str, bytes]) -> None:
        self.media = media
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.busy = 0  # answers "429" as often as this
        self.held = threading.Event()  # those who wait for what is held get it when it is set
        self.open = 0  # answers that are held back, as long as somebody waits for them
        self.when_asked: Callable[[str], None] = lambda name: None
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def template(self) -> str:
        return f"{self.url}/{{id}}"

    def close(self) -> None:
        self.held.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.strip("/")
        self.asked[name] += 1
        self.headers.append(dict(request.headers))
        self.when_asked(name)
        kind = re.match(r"[a-z0-9]*", name)[0]
        if self.busy:
            self.busy -= 1
            request.send_error(429)
        elif kind == "missing":
            request.send_error(404)
        elif kind == "broken":
            request.send_error(503)
        elif kind == "moved":
            request.send_response(302)
            request.send_header("Location", f"/{name.replace('moved', 'mp4')}")
            request.end_headers()
        elif kind == "silent":
            with suppress(OSError):
                self.hold(request, b"")
        elif kind == "drippage":
            self.send(request, b"<html>" + b" " * 100_000, "text/html", held=6, drop=1)
        elif kind == "drip":
            self.send(request, self.media["mp4"], "video/mp4", held=40_000, drop=1)
        elif kind in PLAYLISTS:
            self.send(request, PLAYLISTS[kind], "video/mp4")
        elif kind == "page":
            self.send(request, b"<html><body>Nothing to hear</body></html>" * 50, "text/html")
        elif kind == "html":
            self.send(request, b"<html><body>Nothing to hear</body></html>" * 50, "video/mp4")
        elif kind == "held":
            self.send(request, self.media["mp4"], "video/mp4", held=1000)
        elif kind == "truncated":
            self.send(request, self.media["mp4"], "video/mp4", share=0.5)
        elif kind.startswith("third"):  # whose length fits: only what it holds tells
            media = self.media[kind.removeprefix("third")]
            self.send(request, media[: len(media) // 3], self.TYPES[kind.removeprefix("third")])
        elif kind == "slow":
            self.send(request, self.media["mp4"], "video/mp4", pause=0.02)
        else:
            self.send(request, self.media[kind], self.TYPES[kind])

    def send(
        self,
        request: BaseHTTPRequestHandler,
        content: bytes,
        kind: str,
        share: float = 1.0,
        pause: float = 0.0,
        held: int | None = None,
        drop: int = 0,
    ) -> None:
        """Sends what was asked for, with ranges; `share` of it before the connection breaks.

        Of what is `held`, so many bytes are sent at once, and then only drops of `drop` bytes.
        """
        wanted = re.match(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        last = int(wanted[2]) if wanted and wanted[2] else len(content) - 1
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Type", kind)
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(last + 1 - first))
        if wanted:
            request.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        request.end_headers()
        if request.command == "HEAD":
            return
        body = content[first : min(last + 1, int(share * len(content)))]
        try:
            if held is not None and not self.held.is_set():
                request.wfile.write(body[:held])
                body = self.hold(request, body[held:], drop)
            for place in range(0, len(body), 4096 if pause else len(body) or 1):
                request.wfile.write(body[place : place + 4096] if pause else body)
                time.sleep(pause)
        except OSError:
            pass  # the client has heard enough

    def hold(self, request: BaseHTTPRequestHandler, body: bytes, drop: int = 0) -> bytes:
        """Lets a drop through now and then; returns the rest when it is no longer held."""
        self.open += 1
        try:
            while not self.held.wait(0.05):
                if select.select([request.connection], [], [], 0)[0]:
                    raise OSError("the client has left")
                request.wfile.write(body[:drop])
                body = body[drop:]
            return body
        finally:
            self.open -= 1


@pytest.fixture
def web(media, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    web = Web(media)
    yield web
    web.close()


DOWNLOAD = """
import json, signal, sys
from asteroid_bimodal.data.download import DiskFullError, Entry, FetchOptions, download

signal.signal(signal.SIGINT, signal.default_int_handler)
rows, root, template, jobs = json.loads(sys.argv[1])
options = FetchOptions(url_template=template, timeout=1e6)
try:
    download([Entry(*row) for row in rows], root, options=options, sleep=0.0, jobs=jobs)
except (KeyboardInterrupt, DiskFullError) as error:
    print(repr(error))
"""


class Site:
    """A folder that clips of the server are downloaded into, and looks at what is there."""

    def __init__(self, web: Web, root: Path) -> None:
        self.web = web
        self.root = root

    @staticmethod
    def clip(name: str, split: str = "test") -> Entry:
        return Entry(f"audio/{name}_000003.flac", name, 3.0, 10.0, "rain", (), split)

    @staticmethod
    def whole(name: str) -> Entry:
        return Entry(f"solo/audio/tuba/{name}.wav", name, 0.0, None, "tuba", (), "train")

    def get(self, entries: list[Entry], *, timeout: float = 60.0, **changes) -> Summary:
        options = FetchOptions(url_template=self.web.template, timeout=timeout)
        given = {"options": options, "sleep": 0.0, "jobs": 2, **changes}
        return download(entries, self.root, **given)

    def start(self, entries: list[Entry], *, jobs: int = 2, before: str = "") -> subprocess.Popen:
        """Downloads in a process of its own, which waits for the server without end.

        Args:
            entries: the clips.
            jobs: how many of them at a time.
            before: code that it runs first.

        Returns:
            The process; what ends a run is what it prints.
        """
        given = [[astuple(entry) for entry in entries], str(self.root), self.web.template, jobs]
        command = [sys.executable, "-c", before + DOWNLOAD, json.dumps(given)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def files(self) -> list[str]:
        # Unlike rglob, walk does not mind folders that vanish meanwhile.
        paths = [Path(folder, name) for folder, _, names in os.walk(self.root) for name in names]
        return sorted(path.relative_to(self.root).as_posix() for path in paths)

    def statuses(self) -> dict[str, str]:
        return {row.id: row.status for row in read_ledger(self.root).values()}

    @staticmethod
    def assert_seconds(path: Path, first: int, count: int) -> None:
        """A file is mono, of 16 kHz and half the loudness, and every second has its tone."""
        audio, rate = soundfile.read(path)
        assert rate == 16_000 and audio.ndim == 1 and soundfile.info(path).subtype == "PCM_16"
        assert len(audio) == pytest.approx(count * rate, abs=0.06 * rate)
        for second in range(count):
            middle = audio[int((second + 0.25) * rate) : int((second + 0.75) * rate)]
            spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
            assert 2 * np.argmax(spectrum) == pytest.approx(300 + 100 * (first + second), abs=4)
            assert np.abs(middle).max() == pytest.approx(0.25, rel=0.1)


@pytest.fixture
def site(web, tmp_path):
    return Site(web, tmp_path)
