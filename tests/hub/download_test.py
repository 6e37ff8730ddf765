"""Loading from a stand-in for the hub with the real client: cached, checked, explained."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import asteroid.models
import huggingface_hub.constants
import pytest
import torch
from hub_server import DROP, STALL, TEAR, TOKEN
from huggingface_hub import file_download

from asteroid_bimodal.hub import load_model, publish
from asteroid_bimodal.models import BiModalUNet, download, load_separator

WAV = torch.randn(1000, generator=torch.Generator().manual_seed(0))
WORDS = ["violin", "flute"]


@pytest.fixture
def published(folder, hub):
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    hub.add("me/tiny", files)
    return hub


WITHOUT = """
import sys
from asteroid.scripts.asteroid_cli import infer

for file in sys.argv[1:]:
    try:
        infer([file, "--files", file])
    except TypeError as error:
        print(error)
"""


def fetched(server):
    return server.asked["resolve"]


def check_same(model, expected):
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)


def test_repository_is_found_by_everybody_and_fetched_once(published, tiny_model):
    for load in (BiModalUNet.from_pretrained, load_separator, load_model):
        check_same(load("me/tiny"), tiny_model())
    assert fetched(published) == 2 * 2  # HEAD and GET of config and weights, nothing else


def test_stock_asteroid_loads_the_repository(published, tiny_model):
    loaded = asteroid.models.BaseModel.from_pretrained("me/tiny")
    assert isinstance(loaded, BiModalUNet)
    check_same(loaded, tiny_model())


def test_stock_asteroid_without_this_package_says_what_to_import(finished, tmp_path, tiny_model):
    published = finished / "publish_dir/pytorch_model.bin"
    saved = tmp_path / "best_model.pth"
    torch.save(tiny_model().serialize(), saved)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT, published, saved], capture_output=True, text=True
    )
    assert result.stdout.count("import asteroid_bimodal") == 2, result.stderr
    for file in (published, saved):
        model = asteroid.models.BaseModel.from_pretrained(str(file))
        check_same(model, tiny_model())
        with pytest.raises(ValueError, match="In place of asteroid-infer"):
            model(WAV)


def test_options_of_the_hub_client(hub, tiny_model, tmp_path):
    model, cache = tiny_model(), tmp_path / "cache"
    model.push_to_hub("me/pushed", private=True, token=TOKEN)
    assert set(hub.files("me/pushed")) >= {"config.json", "model.safetensors"}
    with pytest.raises(ValueError, match="not in the cache"):
        BiModalUNet.from_pretrained("me/pushed", cache_dir=cache, local_files_only=True)
    check_same(BiModalUNet.from_pretrained("me/pushed", cache_dir=cache, token=TOKEN), model)
    asked = fetched(hub)
    options = {"cache_dir": cache, "local_files_only": True}
    check_same(BiModalUNet.from_pretrained("me/pushed", **options), model)
    assert fetched(hub) == asked
    options = {"cache_dir": cache, "force_download": True, "token": TOKEN}
    check_same(BiModalUNet.from_pretrained("me/pushed", **options), model)
    assert fetched(hub) > asked
    model.origin = "somebody"
    with pytest.raises(ValueError, match="who may pass it on"):
        model.push_to_hub("me/pushed")


def test_revisions(published, tiny_model, tmp_path):
    repo = published.repos["me/tiny"]
    first = repo.refs["v1"] = repo.refs["main"]
    newer = tiny_model()
    torch.nn.init.zeros_(newer.masker.head.bias)
    torch.nn.init.ones_(newer.masker.head.scale)
    newer.save_pretrained(tmp_path / "newer")
    files = {path.name: path.read_bytes() for path in (tmp_path / "newer").iterdir()}
    published.add("me/tiny", files)
    check_same(BiModalUNet.from_pretrained("me/tiny"), newer)
    for revision in ("v1", first):
        check_same(BiModalUNet.from_pretrained("me/tiny", revision=revision), tiny_model())
        check_same(load_separator(f"me/tiny@{revision}"), tiny_model())
    with pytest.raises(ValueError, match="'me/tiny@v9'.*no such revision"):
        BiModalUNet.from_pretrained("me/tiny", revision="v9")
    with pytest.raises(ValueError, match="one revision, received 'me/tiny@v1' and revision='main'"):
        BiModalUNet.from_pretrained("me/tiny@v1", revision="main")


def test_revision_of_what_is_here_is_refused(tmp_path):
    for name in ("mini", tmp_path):
        with pytest.raises(ValueError, match="Files and folders have no revisions"):
            load_separator(name, revision="main")


@pytest.mark.parametrize("way", ["HF_HUB_OFFLINE", "no network", "503", "cut off"])
def test_what_is_cached_needs_no_hub(published, tiny_model, monkeypatch, way):
    BiModalUNet.from_pretrained("me/tiny")
    if way == "HF_HUB_OFFLINE":
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    elif way == "no network":
        published.close()
    else:
        published.troubles["GET /api"] = [503 if way == "503" else DROP] * 99
    check_same(BiModalUNet.from_pretrained("me/tiny"), tiny_model())
    with pytest.raises(ValueError, match="'me/other'.*not in the cache and the hub cannot be"):
        BiModalUNet.from_pretrained("me/other")


@pytest.mark.parametrize("trouble", [TEAR, 503])
@pytest.mark.parametrize(
    "file",
    ["config.json", "model.safetensors", "query_encoder/model.safetensors", "tokenizer.json"],
)
def test_what_did_not_arrive_whole_is_no_model(experiment, hub, monkeypatch, file, trouble):
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    publish(experiment, "me/tiny", bundle_encoder=True)
    hub.troubles[f"GET /me/tiny/resolve/.*{file}$"] = [trouble] * 99
    for _ in range(2):
        with pytest.raises(ValueError, match="'me/tiny'"):
            load_separator("me/tiny")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked = 99 - len(hub.troubles.popitem()[1])
    assert 0 < asked <= 20  # tries are bounded
    load_separator("me/tiny").torch_separate(WAV, WORDS)


@pytest.mark.parametrize("request_", ["GET .*/revision/main", "GET .*/tree/", "GET .*/config"])
def test_silent_hub_is_not_waited_for(published, monkeypatch, waits, request_):
    monkeypatch.setattr(download, "_SILENCE", 0.1)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    published.troubles[request_] = [STALL] * 99
    begin = time.monotonic()
    with pytest.raises(ValueError, match="'me/tiny'.*cannot be reached"):
        load_separator("me/tiny")
    assert time.monotonic() - begin < 10


def test_model_with_its_encoder_works_offline_and_after_a_move(experiment, hub, tmp_path):
    publish(experiment, "me/tiny", bundle_encoder=True)
    expected = (
        load_separator(experiment / "best_model.pth")
        .separate(WAV, WORDS, sample_rate=8000)
        .estimates
    )
    model = BiModalUNet.from_pretrained("me/tiny")
    hub.close()
    # To rounding: the texts stored with the package were embedded on another machine.
    torch.testing.assert_close(model.torch_separate(WAV, WORDS), expected)
    moved = tmp_path / "another place" / "modèle"
    shutil.copytree(model.loaded_from, moved)
    shutil.rmtree(tmp_path / "cache")
    again = load_separator(moved)
    assert str(again.query_encoder.spec) == str(moved / "query_encoder")
    torch.testing.assert_close(again.torch_separate(WAV, WORDS), expected)


def test_private_repository_asks_for_a_token(published, monkeypatch, tiny_model):
    published.repos["me/tiny"].private = True
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(ValueError, match="'me/tiny'.*or it is private.*HF_TOKEN"):
        BiModalUNet.from_pretrained("me/tiny")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ValueError, match=r"'me/tiny'.*refuses access \(401\)"):
        BiModalUNet.from_pretrained("me/tiny")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    check_same(BiModalUNet.from_pretrained("me/tiny"), tiny_model())


def test_missing_repository_is_said_to_be_missing(hub):
    with pytest.raises(ValueError, match="'me/nothing'.*there is no such repository"):
        load_separator("me/nothing")


@pytest.mark.parametrize(
    "files, message",
    [
        ({"README.md": b"words"}, "in me/odd on the hub, found none"),
        ({"config.json": b'{"model_type": "bert"}', "model.safetensors": b"0" * 999}, "else"),
        ({"config.json": b"[1]", "model.safetensors": b"0" * 999}, "holds a list"),
        ({"config.json": b"{", "model.safetensors": b"0" * 999}, "Expected JSON in config.json"),
        ({"config.json": b'{"model_name": "A", "model_args": {}}'}, "found none"),
    ],
)
def test_repository_that_is_no_model_is_refused_before_its_weights_are_fetched(hub, files, message):
    hub.add("me/odd", files)
    with pytest.raises(ValueError, match=message):
        load_separator("me/odd")
    assert fetched(hub) <= 2


def test_pickled_code_of_a_repository_is_not_run(hub, tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    package = {"model_name": "BiModalUNet", "model_args": Trap(), "state_dict": {}}
    torch.save(package, tmp_path / "model.bin")
    hub.add("me/trap", {"pytorch_model.bin": (tmp_path / "model.bin").read_bytes()})
    for load in (load_separator, BiModalUNet.from_pretrained):
        with pytest.raises(ValueError, match="nothing of it was run"):
            load("me/trap")
    assert not (tmp_path / "sprung").exists()


def test_asteroid_repository_without_safetensors_is_read(hub, folder, tiny_model):
    hub.add("me/old", {"pytorch_model.bin": (folder / "pytorch_model.bin").read_bytes()})
    check_same(BiModalUNet.from_pretrained("me/old"), tiny_model())
    hub.close()
    check_same(BiModalUNet.from_pretrained("me/old"), tiny_model())


SCRIPT = """
import sys
import torch
from asteroid_bimodal.cli import main
from asteroid_bimodal.models import BiModalUNet
import asteroid.models

main(["publish", sys.argv[1], "--repo", "me/tiny", "--bundle-encoder"])
model = BiModalUNet.from_pretrained("me/tiny")
assert model.torch_separate(torch.randn(500), ["violin"]).shape == (1, 500)
assert type(asteroid.models.BaseModel.from_pretrained("me/tiny")) is BiModalUNet
try:
    main(["publish", sys.argv[1], "--repo", "no name"])
except SystemExit as stop:
    assert "does not name a repository" in stop.code
"""


def test_command_line_with_the_documented_variables(experiment, hub, tmp_path):
    variables = {
        "HF_ENDPOINT": hub.address,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "ASTEROID_CACHE": str(tmp_path / "asteroid"),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(experiment)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{hub.address}/me/tiny"
    config = json.loads(hub.files("me/tiny")["config.json"])
    assert config["model_args"]["query_encoder"] == "clap:./query_encoder"
