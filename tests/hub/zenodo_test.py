"""Asteroid's own way to publish works on an experiment, up to the upload to Zenodo."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asteroid.models
import asteroid.models.zenodo
import pytest
import torch
from asteroid.models.publisher import upload_publishable

from asteroid_bimodal.hub import write_zenodo_dir
from asteroid_bimodal.models import BiModalUNet

LICENCE = {
    "title": "Rendered takes",
    "title_link": "https://example.org/takes",
    "author": "Nobody",
    "author_link": "https://example.org/nobody",
    "license": "CC0",
    "license_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "non_commercial": False,
}


def test_asteroid_loads_what_asteroid_wrote(experiment, tiny_model, capsys):
    folder = write_zenodo_dir(experiment, [LICENCE])
    assert folder == experiment / "zenodo"
    assert "asteroid-upload" in capsys.readouterr().out
    package = torch.load(folder / "model.pth", weights_only=True)
    assert package["dataset"] == "MUSIC" and package["infos"]["final_metrics"]["sdr"] == 6.5
    stock = asteroid.models.BaseModel.from_pretrained(str(folder / "model.pth"))
    for model in (stock, BiModalUNet.from_pretrained(folder / "model.pth")):
        assert isinstance(model, BiModalUNet)
        for name, value in tiny_model().state_dict().items():
            torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)


def test_folders_of_this_machine_are_not_told(experiment):
    conf = (experiment / "conf.yml").read_text().replace("data/mini", "/home/jane/data/mini")
    (experiment / "conf.yml").write_text(conf)
    content = (write_zenodo_dir(experiment, [LICENCE]) / "model.pth").read_bytes()
    assert b"home/jane" not in content


class Zenodo(BaseHTTPRequestHandler):
    """The part of Zenodo's API that Asteroid uses."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.received[f"{self.command} {self.path}"] = body
        made = self.command == "POST" and self.path.endswith("depositions")
        answer = json.dumps({"id": 7}).encode()
        self.send_response(201 if made else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *args):
        pass


@pytest.fixture
def zenodo(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Zenodo)
    server.received = {}
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    class Local(asteroid.models.zenodo.Zenodo):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.zenodo_address = f"http://127.0.0.1:{server.server_port}"

    monkeypatch.setattr(asteroid.models.zenodo, "Zenodo", Local)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_asteroid_uploads_it(experiment, zenodo):
    folder = write_zenodo_dir(experiment, [LICENCE])
    upload_publishable(
        str(folder), uploader="A B", git_username="me", token="t", use_sandbox=True, unit_test=True
    )
    metadata = json.loads(zenodo.received["PUT /api/deposit/depositions/7"])["metadata"]
    assert metadata["title"].startswith("me/BiModalUNet_MUSIC")
    for expected in ("asteroid_bimodal/bimodal_clap", "sdr: 6.5", "n_src: 2", "Rendered takes"):
        assert expected in metadata["description"]
    sent = zenodo.received["POST /api/deposit/depositions/7/files"]
    assert (folder / "published_model.pth").read_bytes() in sent


@pytest.mark.parametrize("licenses", [[], [{"title": "x"}]])
def test_licences_have_to_be_whole(experiment, licenses):
    with pytest.raises(ValueError, match="licence of each data set"):
        write_zenodo_dir(experiment, licenses)
    assert not (experiment / "zenodo").exists()


def test_experiment_has_to_be_evaluated(experiment):
    (experiment / "final_metrics.json").unlink()
    with pytest.raises(ValueError, match="has no final_metrics.json.*evaluate the experiment"):
        write_zenodo_dir(experiment, [LICENCE])
