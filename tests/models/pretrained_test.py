"""Saving and loading: through our formats, through Asteroid's, and never by running a file."""

from __future__ import annotations

import json
import pickle
import warnings

import asteroid.models
import pytest
import torch
from safetensors import safe_open
from tiny_model import HashedWords, build_tiny

import asteroid_bimodal
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.utils.asteroid_compat import register_model

WAV = torch.randn(500, generator=torch.Generator().manual_seed(0))
WORDS = ["violin", "tuba"]


def saved_model(vocabulary=None):
    """A model whose arguments are plain values."""
    return build_tiny(query_encoder="mini", cond_dim=128, pooled_dim=128, vocabulary=vocabulary)


def check_same(loaded, model):
    assert not loaded.training
    assert loaded.get_model_args() == model.get_model_args()
    torch.testing.assert_close(
        loaded.torch_separate(WAV, WORDS),
        model.torch_separate(WAV, WORDS),
    )


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_folder(tmp_path):
    model = saved_model({"instruments": {"violin": ["fiddle"], "tuba": []}})
    model.save_pretrained(tmp_path / "new" / "folder")
    check_same(BiModalUNet.from_pretrained(tmp_path / "new" / "folder"), model)
    check_same(BiModalUNet.from_pretrained(str(tmp_path / "new/folder/model.safetensors")), model)
    assert sorted(p.name for p in (tmp_path / "new/folder").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("name", ["best_model.pth", "pytorch_model.bin"])
def test_asteroid_file_and_its_folder(tmp_path, name):
    model = saved_model()
    torch.save({**model.serialize(), "dataset": "music"}, tmp_path / name)
    check_same(BiModalUNet.from_pretrained(tmp_path / name), model)
    check_same(BiModalUNet.from_pretrained(tmp_path), model)


def test_asteroid_loads_what_we_serialize(tmp_path):
    model = saved_model()
    torch.save(model.serialize(), tmp_path / "model.pth")
    assert asteroid_bimodal.__name__  # its import is what registers the model
    assert asteroid.models.get("BiModalUNet") is asteroid.models.get("bimodalunet") is BiModalUNet
    loaded = asteroid.models.BaseModel.from_pretrained(str(tmp_path / "model.pth"))
    assert isinstance(loaded, BiModalUNet)
    check_same(loaded.eval(), model)


def test_serialized_model_holds_plain_values():
    package = saved_model().serialize()
    json.dumps({key: value for key, value in package.items() if key != "state_dict"})
    assert all(type(v) is str for v in package["infos"]["software_versions"].values())
    assert not any("filterbank" in name for name in package["state_dict"])


def test_dictionary_and_replaced_arguments():
    package = build_tiny().serialize()
    assert package["model_args"]["query_encoder"] is None
    model = BiModalUNet.from_pretrained(package, query_encoder=HashedWords())
    torch.testing.assert_close(model(WAV, WORDS), build_tiny()(WAV, WORDS))
    assert package["model_args"]["query_encoder"] is None


def test_registering_again_is_no_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_model(BiModalUNet)
    assert asteroid.models.get("BiModalUNet") is BiModalUNet


@pytest.mark.parametrize("file", ["model.pth", "best_model.pth"])
def test_code_in_a_file_is_not_run(tmp_path, file):
    package = saved_model().serialize()
    package["model_args"]["sample_rate"] = Trap(tmp_path / "sprung")
    torch.save(package, tmp_path / file)
    with pytest.raises(ValueError, match="nothing of it was run"):
        BiModalUNet.from_pretrained(tmp_path / file)
    (tmp_path / file).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ValueError, match=r"nothing of it was run|truncated"):
        BiModalUNet.from_pretrained(tmp_path / file)
    assert not (tmp_path / "sprung").exists()


def test_truncated_files_are_refused(tmp_path):
    model = saved_model()
    torch.save(model.serialize(), tmp_path / "model.pth")
    model.save_pretrained(tmp_path)
    for name, size in [("model.pth", 5000), ("model.safetensors", 5000), ("model.pth", 0)]:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:size])
        with pytest.raises(ValueError, match=r"truncated|broken|no PyTorch file"):
            BiModalUNet.from_pretrained(tmp_path / name)


def test_broken_or_missing_config_is_refused(tmp_path):
    saved_model().save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    text = config.read_text()
    for content, message in [
        ("{", "broken"),
        ("[]", "holds a list"),
        ("{}", "found no model_name"),
    ]:
        config.write_text(content)
        with pytest.raises(ValueError, match=message):
            BiModalUNet.from_pretrained(tmp_path)
    config.write_text(text.replace('"n_fft"', '"frame"'))
    with pytest.raises(ValueError, match="frame"):
        BiModalUNet.from_pretrained(tmp_path)
    config.unlink()
    with pytest.raises(ValueError, match="found no config.json"):
        BiModalUNet.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda p: p.update(model_name="ConvTasNet"), "found a 'ConvTasNet'"),
        (lambda p: p.pop("state_dict"), "found no state_dict"),
        (lambda p: p["state_dict"].pop("masker.head.bias"), "masker.head.bias is missing"),
        (lambda p: p["state_dict"].update(extra=torch.zeros(1)), "extra is unexpected"),
        (
            lambda p: p["state_dict"].update({"masker.head.bias": torch.zeros(2)}),
            r"masker.head.bias has shape \(2,\) instead of \(1,\)",
        ),
        (lambda p: p["model_args"].update(num_downs=3), "num_downs"),
        (lambda p: p["model_args"].update(vocabulary=["violin"]), "vocabulary of kinds"),
        (lambda p: p["model_args"].update(ngf="wide"), "BiModalUNet"),
        (lambda p: p["model_args"].update(num_heads=0), "num_heads|arguments"),
        (lambda p: p.update(format_version=2), "found format 2.*Upgrade the package"),
        (lambda p: p.update(format_version="1"), "found format '1'"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, change, message):
    package = saved_model().serialize()
    change(package)
    torch.save(package, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=message):
        BiModalUNet.from_pretrained(tmp_path / "model.pth")


def test_what_is_not_there_is_named(tmp_path):
    for name in ["minni", "no/such/folder", "../up", tmp_path / "model.pth"]:
        with pytest.raises(ValueError, match="Check the spelling"):
            BiModalUNet.from_pretrained(name)
    with pytest.raises(ValueError, match="Did you mean 'mini'?"):
        BiModalUNet.from_pretrained("minni")
    with pytest.raises(ValueError, match="model.safetensors with config.json"):
        BiModalUNet.from_pretrained(tmp_path)


def test_hub_without_a_network_is_one_sentence(monkeypatch):
    import huggingface_hub

    def refuse(*_args, **_kwargs):
        raise OSError("no network\nand more lines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ValueError, match=r"'user/repo'.*no network\.$"):
        BiModalUNet.from_pretrained("user/repo")


def test_hub_gives_a_folder(monkeypatch, tmp_path):
    import huggingface_hub

    model, calls = saved_model(), []
    model.save_pretrained(tmp_path)

    def download(repo_id, allow_patterns, revision, **_options):
        calls.append((repo_id, revision))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    check_same(BiModalUNet.from_pretrained("user/repo@v1"), model)
    # First the configuration; then, of the same commit, the rest.
    assert calls == [("user/repo", "v1"), ("user/repo", tmp_path.name)]


def test_half_precision_file_has_half_the_size_and_nearly_the_same_masks(tmp_path):
    model = build_tiny()
    model.save_pretrained(tmp_path / "full")
    model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = BiModalUNet.from_pretrained(tmp_path / "half", query_encoder=None)
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    expected = dict(model.named_parameters())
    for name, parameter in loaded.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-3, atol=1e-5)


def test_statistics_beyond_half_precision_survive_it(model, tmp_path):
    """A variance of 1e5 would be infinite in half precision, and silence what comes after it."""
    model.masker.levels[0].down_norm.running_var.fill_(1e5)
    model.save_pretrained(tmp_path, dtype=torch.float16)
    loaded = BiModalUNet.from_pretrained(tmp_path)
    assert all(torch.isfinite(value).all() for value in loaded.state_dict().values())
    for name, value in model.named_buffers():
        torch.testing.assert_close(dict(loaded.named_buffers())[name], value)


def test_weights_say_that_they_are_of_pytorch(tmp_path):
    build_tiny().save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
