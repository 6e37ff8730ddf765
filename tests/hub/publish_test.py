"""What is published loads everywhere; the real client uploads it to a stand-in for the hub."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asteroid.models
import huggingface_hub.constants
import pytest
import torch

from asteroid_bimodal.hub import publish, write_publish_dir
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import QueryEmbedding

TOKEN = "hf_right"
FILES = {
    "conf.yml": "system: bimodal_clap\ndata: {root: data/mini, n_src: 2}\n",
    "run.json": '{"command": "train.py --exp_dir exp/tiny"}',
    "final_metrics.json": '{"sdr": 6.5, "n_items": 10, "test_list": "test_2src_10.csv"}',
    "metrics.csv": "item,label,sdr\n0,violin,6.5\n",
    "report.html": "<!doctype html>",
}
MODEL_FILES = {"model.safetensors", "config.json", "pytorch_model.bin", "README.md"}


@pytest.fixture
def experiment(tmp_path):
    torch.manual_seed(0)
    model = BiModalUNet(
        8000, 126, 32, None, cond_dim=6, pooled_dim=4, num_downs=5, ngf=2, out_dim=4, num_heads=2
    )
    folder = tmp_path / "tiny"
    folder.mkdir()
    torch.save(model.serialize(), folder / "best_model.pth")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def names(folder):
    return {path.name for path in folder.iterdir()}


def separate_with(model):
    generator = torch.Generator().manual_seed(1)
    query = QueryEmbedding(
        tokens=torch.randn(1, 2, 3, 6, generator=generator),
        mask=torch.ones(1, 2, 3, dtype=torch.bool),
        pooled=torch.randn(1, 2, 4, generator=generator),
    )
    with torch.no_grad():
        return model.eval()(torch.randn(1, 2000, generator=generator), query)


def test_publish_dir_holds_everything_and_loads_like_the_original(experiment):
    folder = write_publish_dir(experiment)
    assert folder == experiment / "publish_dir"
    assert names(folder) == MODEL_FILES | set(FILES)
    for name, text in FILES.items():
        assert (folder / name).read_text() == text
    assert "user/tiny" in (folder / "README.md").read_text()

    expected = separate_with(BiModalUNet.from_pretrained(experiment / "best_model.pth"))
    ours = BiModalUNet.from_pretrained(folder)
    stock = asteroid.models.BaseModel.from_pretrained(str(folder / "pytorch_model.bin"))
    assert isinstance(stock, BiModalUNet)
    for model in (ours, stock):
        torch.testing.assert_close(separate_with(model), expected, rtol=0, atol=0)


def test_writing_again_replaces_the_folder_and_leaves_nothing_else_behind(experiment):
    (write_publish_dir(experiment) / "old").write_text("of another time")
    before = names(experiment)
    write_publish_dir(experiment, repo_id="me/tiny")
    assert names(experiment / "publish_dir") == MODEL_FILES | set(FILES)
    assert names(experiment) == before
    assert (experiment / "publish_dir").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("broken", ["best_model.pth", "conf.yml", "final_metrics.json"])
def test_what_cannot_be_read_leaves_the_earlier_folder_untouched(experiment, broken):
    folder = write_publish_dir(experiment)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (experiment / broken).write_text("{[")
    with pytest.raises(ValueError, match=broken):
        write_publish_dir(experiment)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_untrained_experiment_is_refused(tmp_path):
    with pytest.raises(ValueError, match="found none at .*Train it first"):
        write_publish_dir(tmp_path)
    assert not names(tmp_path)


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's API that an upload of small files needs."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply({"error": "Invalid credentials"}, 401)
        if self.path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            return self.reply({"url": f"{self.server.address}/me/tiny"})
        if self.path.startswith("/api/validate-yaml"):
            return self.reply({"errors": [], "warnings": []})
        if self.path.startswith("/api/models/me/tiny/preupload/main"):
            files = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            return self.reply({"files": modes})
        if self.path.startswith("/api/models/me/tiny/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.files[line["value"]["path"]] = content
            commit = {"commitUrl": f"{self.server.address}/me/tiny/commit/1", "commitOid": "1"}
            return self.reply(commit)
        return self.reply({"error": f"Unexpected {self.path}"}, 404)

    def reply(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.created, server.files = [], {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_publish_uploads_the_folder(experiment, hub):
    url = publish(experiment, "me/tiny", private=True)
    assert url == f"{hub.address}/me/tiny"
    (created,) = hub.created
    assert (created["organization"], created["name"]) == ("me", "tiny")
    # The client's version 1 says it one way, version 2 the other.
    assert created.get("private") or created.get("visibility") == "private"
    folder = experiment / "publish_dir"
    assert hub.files == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert b'from_pretrained("me/tiny")' in hub.files["README.md"]


def test_publish_dir_changed_by_hand_goes_up_as_it_is(experiment, hub):
    folder = write_publish_dir(experiment)
    (folder / "README.md").write_text("mine")
    publish(folder, "me/tiny")
    assert hub.files["README.md"] == b"mine"


def test_wrong_token_and_no_network_are_one_sentence(experiment, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ConnectionError, match=r"Could not upload .* to me/tiny: .*401.*HF_TOKEN"):
        publish(experiment, "me/tiny")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="Could not upload .* to me/tiny"):
        publish(experiment, "me/tiny")
    assert not hub.files


@pytest.mark.parametrize("repo_id", ["tiny", "me/tiny/x", "me/ti ny", "/tiny", ""])
def test_name_that_is_no_repository_is_refused_before_any_work(experiment, repo_id):
    with pytest.raises(ValueError, match="[Rr]epo"):
        publish(experiment, repo_id)
    assert not (experiment / "publish_dir").exists()
