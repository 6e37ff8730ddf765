"""A tiny separator, files, and a Chromium that says where its requests go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from tiny_model import HashedTexts, build_tiny

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM = CHROMIUM or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def model():
    return build_tiny(n_fft=126, hop_length=32, pooled_dim=4, query_encoder=HashedTexts())


@pytest.fixture
def noise(tmp_path):
    """Writes noise in stereo, 11 025 Hz unless told, and returns the path."""

    def write(name="some noise.wav", length=6000, rate=11025, subtype="FLOAT", scale=0.2):
        audio = scale * np.random.default_rng(length).standard_normal((length, 2), np.float32)
        soundfile.write(tmp_path / name, audio, rate, subtype=subtype)
        return tmp_path / name

    return write


class Browser:
    """Headless Chromium, spoken to by the DevTools protocol over pipes."""

    def __init__(self, profile):
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()

        def connect():
            # Chromium reads commands from 3 and answers on 4.
            one, other = os.dup(commands), os.dup(answers)
            os.dup2(one, 3)
            os.dup2(other, 4)

        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
        self._process = subprocess.Popen(
            [CHROMIUM, *options, *quiet, "--remote-debugging-pipe", "--window-size=1400,1000"]
            + [f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=connect,
            close_fds=False,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._buffer, self._number, self._session = b"", 0, None
        self.requests, self.messages = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def evaluate(self, expression):
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, expression):
        """Waits as long as any machine may need; what never comes is told with what is there."""
        for _ in range(3000):
            if self.evaluate(f"Boolean({expression})"):
                return
            time.sleep(0.1)
        raise TimeoutError(f"{expression}: {self.evaluate('document.body.innerText')[:2000]}")

    def upload(self, selector, path):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    @property
    def hosts(self):
        return {urlsplit(url).hostname for url in self.requests if url.startswith(("http", "ws"))}

    def close(self):
        try:
            self._session = None
            self.call("Browser.close")
        except OSError:
            self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _receive(self):
        while b"\0" not in self._buffer:
            data = os.read(self._read, 2**20)
            if not data:
                raise OSError("Chromium has ended.")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        event = json.loads(line)
        if event.get("method") in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            params = event["params"]
            self.requests.append(params.get("url") or params["request"]["url"])
        if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.messages.append(event["params"])
        return event


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed.")
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()
