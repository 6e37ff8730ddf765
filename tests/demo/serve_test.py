"""The page over HTTP and in Chromium: it answers, explains, and asks nobody else."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
import requests
import soundfile

from asteroid_bimodal import cli
from asteroid_bimodal.cli import demo as command
from asteroid_bimodal.demo import EXAMPLE_QUERIES, serve

gradio = pytest.importorskip("gradio")
from gradio_client import Client, handle_file  # noqa: E402
from gradio_client.exceptions import AppError  # noqa: E402

# Of the way gradio uses pandas.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:gradio")


def listens(host, port):
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


@pytest.fixture(scope="module")
def address(model):
    with serve({"tiny": model, "other": model}, title="tiny") as address:
        yield address
    assert not listens("127.0.0.1", urlsplit(address.url).port)


@pytest.fixture(scope="module")
def client(address, tmp_path_factory):
    client = Client(address.url, verbose=False, download_files=tmp_path_factory.mktemp("client"))
    yield client
    client.close()


def ask_all(client, audio, words="violin, flute", caption="", without="", model="tiny"):
    audio = audio and handle_file(audio)
    return client.predict(audio, words, caption, None, without, model, api_name="/separate")


def ask(*args, **options):
    found, of_audio, of_queries = ask_all(*args, **options)
    assert not of_audio and not of_queries
    return found


def fetch(address, html, folder):
    """The tracks of an answer, as the browser gets them."""
    tracks = []
    for number, source in enumerate(re.findall(r'<audio [^>]*src="(.*?)"', html)):
        response = requests.get(address.url + source)
        response.raise_for_status()
        path = folder / f"{number}.wav"
        path.write_bytes(response.content)
        tracks.append(soundfile.read(path, dtype="float32"))
    return tracks


def test_a_question_over_http(address, client, noise, tmp_path):
    path = noise()
    html = ask(client, path)
    assert re.findall("<h3>(.*?)</h3>", html) == ["mixture", "violin", "flute", "residual"]
    tracks = fetch(address, html, tmp_path)
    assert {rate for _, rate in tracks} == {11025}
    mixture, *parts = (samples for samples, _ in tracks)
    np.testing.assert_array_equal(mixture, soundfile.read(path, dtype="float32")[0])
    np.testing.assert_allclose(sum(parts), mixture, atol=1e-6)


def test_a_caption_over_http(client, noise):
    html = ask(client, noise(), words="", caption="A man talks while a dog barks")
    assert re.findall("<h3>(.*?)</h3>", html)[1:3] == ["a man talks", "a dog barks"]


def test_only_the_last_answers_are_kept(address, client, noise, tmp_path):
    htmls = [ask(client, noise(length=4000 + k), words="violin") for k in range(5)]
    assert len(fetch(address, htmls[-1], tmp_path)) == 3
    with pytest.raises(requests.HTTPError):
        fetch(address, htmls[0], tmp_path)


@pytest.mark.parametrize(
    "options, field, words",
    [
        ({"words": " "}, 2, "Write a query such as"),
        ({"words": "residual"}, 2, "Leave it out"),
        ({"audio": None}, 1, "Upload a file or record one"),
        ({"length": 20}, 1, "one frame of the model"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(client, noise, options, field, words):
    options = dict(options)
    audio = options.pop("audio", noise(length=options.pop("length", 4000)))
    answer = ask_all(client, audio, **options)
    assert words in answer[field] and not answer[3 - field] and "<audio" not in answer[0]


def test_a_video_is_a_recording(client, tmp_path):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        picture, sound = file.add_stream("mpeg4", 25), file.add_stream("aac", 22050)
        picture.width = picture.height = 64
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            file.mux(picture.encode(frame))
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 22050)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = 22050
        file.mux(sound.encode(frame))
        for stream in (picture, sound):
            file.mux(stream.encode(None))
    assert "clip.mp4" in ask(client, path)


def test_what_is_not_wanted_is_left_out_of_all_estimates(client, noise):
    html = ask(client, noise(), words="", without="flute, tuba")
    assert re.findall("<h3>(.*?)</h3>", html) == ["mixture", "without flute tuba", "residual"]


def test_a_model_that_is_none(client, noise):
    with pytest.raises(AppError):
        ask(client, noise(), model="/etc/passwd")


def test_an_upload_that_is_too_large_is_refused_before_it_is_all_here(model, monkeypatch):
    monkeypatch.setattr(sys.modules["asteroid_bimodal.demo.serve"], "_MAX_UPLOAD", "10kb")
    with serve({"tiny": model}) as address:
        statuses = []
        for size in (10_000, 20_000):
            files = {"files": ("noise.wav", bytes(size))}
            answer = requests.post(f"{address.url}gradio_api/upload", files=files)
            statuses.append(answer.status_code)
    assert statuses == [200, 413]


def test_nobody_else_can_connect(address):
    parts = urlsplit(address.url)
    assert parts.hostname == "127.0.0.1" and address.public is None
    assert listens("127.0.0.1", parts.port)
    # Another address of this machine: who listens to all of them has it, too.
    assert not listens("127.0.0.2", parts.port)


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 200),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "localhost:8080", "Origin": "http://localhost:8080"}, 200),
        ({"Host": "evil.com"}, 403),
        ({"Host": "evil.com:7860"}, 403),
        ({"Host": "127.0.0.1.evil.com"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://evil.com"}, 403),
        ({"Origin": "https://localhost.evil.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
def test_requests_for_another_name_or_from_another_page_are_refused(address, headers, status):
    assert requests.get(f"{address.url}config", headers=headers).status_code == status
    join = f"{address.url}gradio_api/call/separate"
    answer = requests.post(join, json={"data": [None, "x", "", None, "", "tiny"]}, headers=headers)
    assert answer.status_code == status


def test_the_public_address_is_a_name_of_the_page(model, monkeypatch):
    launch = gradio.Blocks.launch

    def share(self, **options):
        app, url, _ = launch(self, **{**options, "share": False})
        return app, url, "https://abc.example.org"

    monkeypatch.setattr("gradio.Blocks.launch", share)
    with serve({"tiny": model}, share=True) as address:
        for name, status in [("abc.example.org", 200), ("evil.example.org", 403)]:
            headers = {"Host": name, "Origin": f"https://{name}"}
            assert requests.get(f"{address.url}config", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path", ["/etc/passwd", __file__, "../../etc/passwd", "file:///etc/passwd"]
)
def test_a_file_of_the_machine_is_no_input_and_no_traceback(address, capfd, path):
    join = f"{address.url}gradio_api/call/separate"
    audio = {"path": path, "meta": {"_type": "gradio.FileData"}}
    event = requests.post(join, json={"data": [audio, "x", "", None, "", "tiny"]}).json()[
        "event_id"
    ]
    answer = requests.get(f"{join}/{event}").text
    assert "event: error" in answer and "uploaded to it alone" in answer
    assert "Traceback" not in capfd.readouterr().err


def test_files_outside_of_the_page_are_not_served(address):
    url = f"{address.url}gradio_api/file={Path(__file__).resolve()}"
    assert requests.get(url).status_code == 403


def test_the_page_refers_to_nothing_elsewhere(address):
    page = requests.get(address.url).text
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//(?!127\.0\.0\.1)[^\"']*", page)
    style = requests.get(f"{address.url}theme.css").text
    assert "@import" not in style and not re.findall(r"url\(['\"]?(?:https?:)?//", style)
    config = requests.get(f"{address.url}config").json()
    assert config["analytics_enabled"] is False
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


CLICK = "[...document.querySelectorAll('button')].find(b => b.textContent.includes('{}')).click()"
TITLES = "[...document.querySelectorAll('#found h3')].map(e => e.innerText)"
TYPE = """(() => {
  const box = document.querySelector('#queries textarea');
  box.value = %s;
  box.dispatchEvent(new Event('input'));
})()"""


def press(browser, text):
    browser.call("Runtime.evaluate", expression=CLICK.format(text), userGesture=True)


PLAYERS = "[...document.querySelectorAll('#found audio')]"
HEARD = f"{PLAYERS}.map(a => !a.muted)"


@pytest.mark.parametrize("width, height", [(1366, 900), (390, 844)])
def test_a_question_in_the_browser(address, browser, noise, width, height):
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.call("Emulation.setDeviceMetricsOverride", **screen)
    browser.call("Page.navigate", url=address.url)
    browser.wait_for("document.querySelector('#separate')")
    assert browser.evaluate("document.title") == "tiny"
    browser.wait_for("document.querySelector('#found')?.innerText.includes('will be here')")

    press(browser, "Separate")  # with nothing in it
    browser.wait_for("document.querySelector('#of-queries')?.innerText.includes('such as')")

    press(browser, "a flute and a xylophone")
    browser.wait_for("document.querySelector('#queries textarea').value.includes('xylophone')")
    browser.wait_for("document.querySelector('#mixture').innerText.includes('.wav')")
    browser.wait_for("!document.querySelector('.abm-problem')")
    browser.evaluate("document.querySelector('#queries textarea').focus()")
    for kind in ("keyDown", "keyUp"):
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        browser.call("Input.dispatchKeyEvent", type=kind, **enter)
    browser.wait_for(f"{PLAYERS}.length")
    assert browser.evaluate(TITLES) == ["mixture", *EXAMPLE_QUERIES, "residual"]
    browser.wait_for(f"{PLAYERS}.every(a => Math.abs(a.duration - 5) < 0.01)")
    pictures = "[...document.querySelectorAll('#found img')]"
    browser.wait_for(f"{pictures}.every(i => i.complete && i.naturalWidth > 100)")
    place = "document.querySelector('#found').getBoundingClientRect()"
    browser.wait_for(f"{place}.top > -50 && {place}.top < {height / 2}")
    cut = "[...document.querySelectorAll('#found *')].map(e => e.getBoundingClientRect().right)"
    assert browser.evaluate(f"Math.max(...{cut})") <= width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width

    press(browser, "Play")
    browser.wait_for(f"{PLAYERS}.every(a => !a.paused && a.currentTime > 0)")
    times = f"{PLAYERS}.map(a => a.currentTime)"
    browser.wait_for(f"Math.max(...{times}) - Math.min(...{times}) < 0.1")
    press(browser, "Pause")
    browser.wait_for(f"{PLAYERS}.every(a => a.paused)")
    assert browser.evaluate(HEARD) == [True, False, False, False, False]
    browser.evaluate("document.querySelectorAll('.abm-solo')[2].click()")
    assert browser.evaluate(HEARD) == [False, False, True, False, False]
    browser.evaluate("document.querySelectorAll('.abm-solo')[2].click()")
    browser.evaluate("document.querySelectorAll('.abm-mute')[1].click()")
    assert browser.evaluate(HEARD) == [False, False, True, True, True]

    browser.evaluate(f"{pictures}[1].scrollIntoView({{block: 'center'}})")
    box = browser.evaluate(
        f"(() => {{ const b = {pictures}[1].getBoundingClientRect();"
        "return [b.x + b.width / 4, b.y + b.height / 2] })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        options = {"type": kind, "button": "left", "clickCount": 1}
        browser.call("Input.dispatchMouseEvent", x=box[0], y=box[1], **options)
    browser.wait_for(f"{PLAYERS}.every(a => Math.abs(a.currentTime - 5 / 4) < 0.1)")
    browser.wait_for(f"{pictures}[1].nextElementSibling.classList.contains('on')")

    hostile = "<b>${7 * 7}</b> {{value}}"
    browser.evaluate(TYPE % repr(hostile))
    press(browser, "Separate")
    browser.wait_for(f"{TITLES}.length == 3")
    assert browser.evaluate(TITLES)[1] == hostile

    browser.evaluate("document.querySelector('#mixture button[aria-label]').click()")
    browser.wait_for(f"{TITLES}.length == 0")  # no answer beside another recording

    assert browser.hosts == {"127.0.0.1"}
    assert not browser.messages


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_command_serves_until_it_is_stopped(model, monkeypatch, capsys, free_port):
    opened, answers = [], []

    def visit():
        answers.append(requests.get(f"http://127.0.0.1:{free_port}"))
        raise KeyboardInterrupt

    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: model)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(command, "Event", lambda: SimpleNamespace(wait=visit))
    cli.main(["demo", "--port", str(free_port), "--no-browser"])
    assert answers[0].ok and not opened
    assert f"http://127.0.0.1:{free_port}" in capsys.readouterr().out
    assert not listens("127.0.0.1", free_port)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_stop_leaves_nothing_behind(model, monkeypatch, tmp_path, free_port, name):
    number = getattr(signal, name)
    found = []

    def stop():
        found.extend(tmp_path.iterdir())
        os.kill(os.getpid(), number)
        time.sleep(10)

    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: model)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(command, "Event", lambda: SimpleNamespace(wait=stop))
    before = signal.signal(number, lambda *args: pytest.fail("nobody listens"))
    try:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["demo", "--port", str(free_port), "--no-browser"])
        assert signal.getsignal(number).__name__ == "<lambda>"
    finally:
        signal.signal(number, before)
    assert stopped.value.code == 128 + number
    assert found and not list(tmp_path.iterdir())


@pytest.fixture
def launched(model, monkeypatch):
    """What the page is launched with, instead of launching it."""
    options = {}

    def launch(self, **given):
        options.update(given)
        return None, "http://127.0.0.1:7860/", "https://public" if given["share"] else None

    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: model)
    monkeypatch.setattr("gradio.Blocks.launch", launch)
    monkeypatch.setattr(command, "_wait", lambda: None)
    return options


def test_a_public_address_only_when_asked_and_with_a_warning(launched, capsys):
    cli.main(["demo"])
    assert launched["share"] is False and launched["inbrowser"] is True
    assert capsys.readouterr().err == ""
    cli.main(["demo", "--share", "--no-browser"])
    assert launched["share"] is True and launched["inbrowser"] is False
    printed = capsys.readouterr()
    assert "makes the page public" in printed.err and "https://public" in printed.out


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_is_none(launched, port):
    with pytest.raises(SystemExit, match="is not a port. Choose one from 1 to 65535"):
        cli.main(["demo", "--port", port])


def test_a_port_that_is_taken(launched, address):
    with pytest.raises(SystemExit, match="Port [0-9]+ cannot be used"):
        cli.main(["demo", "--port", str(urlsplit(address.url).port)])


def test_without_gradio(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SystemExit, match=r'pip install "asteroid-bimodal\[demo\]"'):
        cli.main(["demo"])
