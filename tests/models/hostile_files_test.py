"""Saved models of strangers: read, or refused in a sentence, in bounded time and memory."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import build_tiny

from asteroid_bimodal.models import BiModalUNet, load_separator
from asteroid_bimodal.scorers.timbre import TimbreClassifier
from asteroid_bimodal.utils.checkpoints import check_numbers

WEIGHT = "masker.head.weights.weight"
MEAN = "masker.input_norm.running_mean"
COUNT = "masker.input_norm.num_batches_tracked"


@pytest.fixture(scope="module")
def model():
    return build_tiny(query_encoder="mini", cond_dim=128, pooled_dim=128)


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path)
    return tmp_path


def refused(path, match, load=load_separator):
    """The one sentence that refuses a file."""
    with pytest.raises(ValueError, match=match) as caught:
        load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000
    return str(caught.value)


@pytest.mark.parametrize(
    "name, change, words",
    [
        (WEIGHT, lambda w: w * torch.nan, "not finite"),
        (WEIGHT, lambda w: w.index_fill(0, torch.tensor([0]), torch.inf), "not finite"),
        (WEIGHT, lambda w: (w + 1.0).double() * 1e300, "not finite"),
        (MEAN, lambda w: w - torch.inf, "not finite"),
        (WEIGHT, lambda w: w.to(torch.int8), "of torch.int8 instead of torch.float32"),
        (WEIGHT, lambda w: w.bool(), "of torch.bool instead"),
        (WEIGHT, lambda w: w.to(torch.float8_e4m3fn), "of torch.float8_e4m3fn instead"),
        (WEIGHT, lambda w: w.to(torch.complex64), "of torch.complex64 instead"),
        (COUNT, lambda w: w.double(), "of torch.float64 instead of torch.int64"),
    ],
)
@pytest.mark.parametrize("file", ["model.safetensors", "best_model.pth"])
def test_weights_that_no_training_left(model, folder, file, name, change, words):
    package = model.serialize()
    package["state_dict"] = {**package["state_dict"], name: change(package["state_dict"][name])}
    if file == "best_model.pth":
        torch.save(package, folder / file)
    else:
        save_file(package["state_dict"], folder / file)
    refused(folder / file, f"{name} (is|has values that are) {words}")


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(1).expand(10**9, 10**9),
        torch.eye(3).to_sparse(),
        torch.empty(32, 128, device="meta"),
    ],
    ids=["expanded", "sparse", "meta"],
)
def test_tensors_that_are_not_all_there(model, tmp_path, value):
    package = model.serialize()
    package["state_dict"] = {**package["state_dict"], WEIGHT: value}
    torch.save(package, tmp_path / "model.pth")
    refused(tmp_path / "model.pth", "do not fit the network|Expected a PyTorch file")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_floats_are_read(model, tmp_path, dtype):
    model.save_pretrained(tmp_path, dtype=dtype)
    assert load_file(tmp_path / "model.safetensors")[WEIGHT].dtype == dtype
    assert next(load_separator(tmp_path).parameters()).dtype == torch.float32


# What a configuration may say that was never trained, and words of the answer.
WILD = [
    ({"n_fft": 10**9}, "n_fft .* finite numbers of at most"),
    ({"n_fft": 999_998}, "n_fft from 2 to 8192"),
    ({"num_downs": 10**6}, "num_downs of 64 or less"),
    ({"num_res_layers": 10**6}, "num_res_layers of 64 or less"),
    ({"num_cond_blocks": 10**5}, "num_cond_blocks of 64 or less"),
    ({"cond_layer": "identity", "num_cond_blocks": 10**5}, "num_cond_blocks of 64 or less"),
    ({"ngf": 65536}, "larger network than its weights"),
    ({"num_downs": 64, "num_cond_blocks": 64, "num_res_layers": 64}, "larger network"),
    ({"pooled_dim": 65536, "out_dim": 65536}, "larger network"),
    ({"sample_rate": 1e300}, "sample_rate .* finite numbers"),
    ({"sample_rate": float("nan")}, "sample_rate .* finite numbers"),
    ({"hop_length": -1}, "hop_length"),
    ({"n_fft": "64"}, "n_fft|arguments"),
    ({"num_downs": 5.5}, "arguments"),
    ({"ngf": [[10**9]]}, "ngf .* finite numbers"),
    ({"ngf": None}, "arguments"),
    ({"query_encoder": {}}, "query_encoder"),
    ({"query_encoder": 7}, "query_encoder"),
    ({"query_encoder": "outputs:1000000000"}, "outputs"),
    ({"query_encoder": "resnet:mini|1000000000"}, "image_size"),
]
SCRIPT = """
import json, re, resource, sys
from asteroid_bimodal.models import load_separator

def used():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

load_separator(sys.argv[1]).query_encoder
limit = used() + 2 * 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for folder in sys.argv[2:]:
    try:
        load_separator(folder).query_encoder
        print("loaded")
    except ValueError as error:
        print(json.dumps(str(error)))
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory by /proc")
def test_wild_configurations_cost_no_time_and_no_memory(folder):
    config = json.loads((folder / "config.json").read_text())
    texts = [
        json.dumps({**config, "model_args": {**config["model_args"], **change}})
        for change, _ in WILD
    ]
    texts += ["[" * 200_000, json.dumps(config).replace("{", '{"a": ' + "[" * 99 + "]" * 99 + ", ")]
    folders = [folder / f"wild_{number}" for number in range(len(texts))]
    for place, text in zip(folders, texts, strict=True):
        place.mkdir()
        (place / "config.json").write_text(text)
        os.link(folder / "model.safetensors", place / "model.safetensors")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, *folders], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    *answers, megabytes = run.stdout.splitlines()
    wanted = [words for _, words in WILD] + ["config.json is not JSON"] * 2
    for answer, words in zip(answers, wanted, strict=True):
        assert re.search(words, answer), (answer, words)
        assert len(answer) < 1000
    assert int(megabytes) < 2000


def compressed(package):
    """A torch file whose storage of 64 MB is deflated to 64 kB."""
    plain, small = io.BytesIO(), io.BytesIO()
    torch.save({**package, "more": torch.zeros(2**24)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as new:
        for record in old.namelist():
            new.writestr(record, old.read(record))
    return small.getvalue()


def saved(package, **options):
    file = io.BytesIO()
    torch.save(package, file, **options)
    return file.getvalue()


def script(_):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a newer way
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), file)
    return file.getvalue()


def overlapping(package):
    """The directory of an archive says that each record is as long as the whole."""
    content = bytearray(saved(package))
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        for field in (20, 24):  # stored and whole size
            content[place + field : place + field + 4] = len(content).to_bytes(4, "little")
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(content)


@pytest.mark.parametrize(
    "make, words",
    [
        (compressed, "larger than the file, or compressed"),
        (overlapping, "larger than the file, or compressed"),
        (lambda p: saved(p, pickle_protocol=4), "pickle_protocol=4, which cannot be read safely"),
        (lambda p: saved(p, pickle_protocol=5), "pickle_protocol=5"),
        (
            lambda p: saved(p, pickle_protocol=4, _use_new_zipfile_serialization=False),
            "pickle_protocol=4",
        ),
        (script, "TorchScript archive"),
        (lambda _: b"RIFF\x24\0\0\0WAVEfmt ", "no PyTorch file"),
        (lambda _: b"", "no PyTorch file"),
    ],
)
def test_torch_files_that_are_not_read(model, tmp_path, make, words):
    path = tmp_path / "model.pth"
    path.write_bytes(make(model.serialize()))
    assert "model.pth" in refused(path, words)
    refused(path, words, BiModalUNet.from_official)


def test_torch_files_of_older_forms_are_read(model, tmp_path):
    for number, options in enumerate(
        [{"_use_new_zipfile_serialization": False}, {"pickle_protocol": 3}]
    ):
        (tmp_path / f"{number}.pth").write_bytes(saved(model.serialize(), **options))
        load_separator(tmp_path / f"{number}.pth")


def test_a_list_that_holds_itself_many_times_is_looked_at_once(tmp_path):
    """As in a file of 1 kB whose numbers would never all be visited."""
    bomb = [1.0]
    for _ in range(60):
        bomb = [bomb, bomb]
    bomb.append(bomb)
    with pytest.raises(ValueError, match="ngf in the configuration of x is none of a model"):
        check_numbers({"ngf": bomb}, "x")


@pytest.mark.parametrize("change", [{"num_layers": 10**5}, {"channels": 10**6}, {"labels": 3}])
def test_a_classifier_of_timbres_is_checked_too(tmp_path, change):
    path = tmp_path / "timbre.safetensors"
    classifier = TimbreClassifier(["violin", "flute"], num_freqs=9, channels=4)
    classifier.save(path)
    assert TimbreClassifier.load(path).labels == classifier.labels
    classifier.config.update(change)
    classifier.save(path)
    refused(path, "Expected a timbre classifier", TimbreClassifier.load)
