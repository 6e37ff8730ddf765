"""Checkpoints of the paper's release: sizes are read off them, nothing in them is trusted."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from asteroid_bimodal.masknn import CondUNet
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.models.official import load_official

CHECKPOINT = Path(__file__).parents[1] / "fixtures" / "release" / "checkpoint_small.pth.tar"
LEVEL_3 = "module.net_sound.unet_block." + 3 * "submodule."


def as_release(masker):
    """Writes a network in the release's layout."""
    state, stacked = {}, {}
    for name, value in masker.state_dict().items():
        theirs = _release_name(name, masker)
        if ".qkv." in theirs:
            stacked.setdefault(theirs, {})["kv" in name.split(".")[-2]] = value
        else:
            state[theirs] = value
    state.update({name: torch.cat([v[False], v[True]]) for name, v in stacked.items()})
    return state


def _release_name(name, masker):
    part, _, rest = name.partition(".")
    if part == "input_norm":
        return f"module.net_sound.bn0.{rest}"
    if part == "head":
        parent = "net_clap.fc" if rest.startswith("weights.") else "net_synthesizer"
        return f"module.{parent}.{rest.removeprefix('weights.')}"
    level, _, rest = rest.partition(".")
    alone = masker.get_config()["cond_layer"] == "sa"
    for ours, theirs in [
        ("self_attention.attention.q.", "sa_block.attn.qkv."),
        ("self_attention.attention.kv.", "sa_block.attn.qkv."),
        ("self_attention", "sa_block"),
        ("cross_attention", "ca_block"),
        *([("attention.q.", "attn.qkv."), ("attention.kv.", "attn.qkv.")] if alone else []),
        ("attention", "attn"),
        ("conditions", "ca_blocks"),
        ("mlp.0", "mlp.fc1"),
        ("mlp.2", "mlp.fc2"),
        ("down_res", "downresblock.res_layers"),
        ("up_res", "upresblock.res_layers"),
        ("down_", "down"),
        ("up_", "up"),
    ]:
        rest = rest.replace(ours, theirs)
    for ours, index in [("convs", 0), ("norms", 1)]:
        if f".{ours}." in rest:
            before, after = rest.split(f".{ours}.")
            layer, _, weight = after.partition(".")
            rest = f"{before}.{layer}.{index}.{weight}"
    return f"module.net_sound.unet_block.{int(level) * 'submodule.'}{rest}"


@pytest.mark.parametrize(
    "config",
    [
        dict(),
        dict(cond_layer="ca", num_downs=6, num_cond_blocks=3),
        dict(cond_layer="sa", num_res_layers=2),
        dict(cond_layer="identity", ngf=3, out_dim=7),
        dict(num_heads=4, num_res_layers=3, num_cond_blocks=2, pooled_dim=11),
    ],
)
def test_size_is_read_off_the_weights(tmp_path, config):
    torch.manual_seed(0)
    base = dict(out_dim=3, cond_dim=6, pooled_dim=5, num_downs=5, ngf=2, num_heads=2)
    masker = CondUNet(**{**base, **config, "mask_padding": False})
    torch.save({"state_dict": as_release(masker), "epoch": 3}, tmp_path / "model_best.pth.tar")
    model = BiModalUNet.from_official(
        tmp_path / "model_best.pth.tar", num_heads=masker.get_config()["num_heads"]
    )
    expected = masker.get_config()
    if expected["cond_layer"] == "identity":  # the condition has no tokens there
        expected["cond_dim"], expected["num_cond_blocks"] = 768, 1
    if expected["cond_layer"] == "sa":
        expected["cond_dim"] = 768
    assert model.masker.get_config() == expected
    assert not model.training
    for name, value in masker.state_dict().items():
        assert torch.equal(model.state_dict()[f"masker.{name}"], value), name


def test_released_size_and_settings():
    args = load_official(CHECKPOINT).model_args
    assert args == {
        "sample_rate": 16000,
        "n_fft": 1022,
        "hop_length": 256,
        "query_encoder": "laion/larger_clap_music",
        "out_dim": 8,
        "cond_dim": 32,
        "pooled_dim": 512,
        "num_downs": 7,
        "ngf": 5,
        "num_res_layers": 1,
        "num_cond_blocks": 1,
        "num_heads": 8,
        "cond_layer": "sca",
        "mask_padding": False,
    }


def test_imported_model_can_be_saved_as_ours(tmp_path):
    model = BiModalUNet.from_official(CHECKPOINT, query_encoder=None)
    model.save_pretrained(tmp_path)
    again = BiModalUNet.from_pretrained(tmp_path)
    assert again.get_model_args() == model.get_model_args()
    assert all(map(torch.equal, again.state_dict().values(), model.state_dict().values()))


def damaged(change):
    checkpoint = torch.load(CHECKPOINT, weights_only=True)
    change(checkpoint["state_dict"])
    return checkpoint


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda s: s.pop(LEVEL_3 + "downconv.weight"),
            "levels.3.down_conv.weight is missing",
        ),
        (
            lambda s: s.update({LEVEL_3 + "downconv.bias": torch.zeros(40)}),
            "levels.3.down_conv.bias is unexpected",
        ),
        (
            lambda s: s.update({LEVEL_3 + "downconv.weight": torch.zeros(40, 20, 3, 3)}),
            r"levels.3.down_conv.weight has shape \(40, 20, 3, 3\) instead of \(40, 20, 4, 4\)",
        ),
        (
            lambda s: s.update({"module.net_vision.weight": torch.zeros(1)}),
            "unexpected net_vision.weight",
        ),
        (lambda s: s.pop("module.net_clap.fc.weight"), "no usable head.weights.weight"),
        (lambda s: s.pop("module.net_synthesizer.bias"), "head.bias is missing"),
        (lambda s: s.update({"module.net_synthesizer.bias": torch.zeros(())}), r"shape \(\)"),
        (lambda s: [s.pop(k) for k in list(s) if "net_sound" in k], "no usable"),
        (
            lambda s: [s.update({k: torch.zeros(())}) for k in list(s) if "qkv.weight" in k],
            "self_attention.attention.q.weight has shape",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, message):
    torch.save(damaged(change), tmp_path / "bad.pth.tar")
    with pytest.raises(ValueError, match=message):
        BiModalUNet.from_official(tmp_path / "bad.pth.tar")


def test_wrong_number_of_heads_is_refused():
    with pytest.raises(ValueError, match="num_heads to divide the 40 channels"):
        BiModalUNet.from_official(CHECKPOINT, num_heads=7)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    checkpoint = torch.load(CHECKPOINT, weights_only=True)
    checkpoint["history"] = Trap(tmp_path / "sprung")
    torch.save(checkpoint, tmp_path / "bad.pth.tar")
    with pytest.raises(ValueError, match="nothing of it was run"):
        BiModalUNet.from_official(tmp_path / "bad.pth.tar")
    (tmp_path / "bad.pth.tar").write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol=2))
    with pytest.raises(ValueError, match="nothing of it was run"):
        BiModalUNet.from_official(tmp_path / "bad.pth.tar")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [0, 1, 1000, 1_000_000])
def test_truncated_checkpoints_are_refused(tmp_path, size):
    (tmp_path / "cut.pth.tar").write_bytes(CHECKPOINT.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"truncated|no PyTorch file"):
        BiModalUNet.from_official(tmp_path / "cut.pth.tar")


@pytest.mark.parametrize(
    "content, message",
    [
        ([torch.zeros(1)], "Expected a dictionary"),
        ({"weights": torch.zeros(1)}, "it has an unexpected weights"),
        ({"state_dict": {"a": 1}}, "'state_dict' of tensors"),
        ({"state_dict": {}}, "no usable levels.0"),
        ({}, "no usable levels.0"),
    ],
)
def test_other_layouts_are_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pth.tar")
    with pytest.raises(ValueError, match=message):
        BiModalUNet.from_official(tmp_path / "other.pth.tar")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="none.pth.tar does not exist"):
        BiModalUNet.from_official(tmp_path / "none.pth.tar")


def test_frozen_clap_and_fixed_transforms_are_left_out(tmp_path):
    def add_clap(state):
        state["module.net_clap.model.model.logit_scale_a"] = torch.zeros(())

    torch.save(damaged(add_clap), tmp_path / "full.pth.tar")
    names = BiModalUNet.from_official(tmp_path / "full.pth.tar").state_dict()
    assert all(name.startswith("masker.") for name in names)
