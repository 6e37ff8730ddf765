"""Reads the checkpoints of the paper's release (`model_best.pth.tar` and the like).

What the release stores, and where it goes here (level i is nested i times in the release):

| release | here |
|-|-|
| `net_sound.bn0` | `masker.input_norm` |
| `net_sound.unet_block.(submodule.)*` | `masker.levels.<i>` |
| `….ca_blocks.<m>` | `….conditions.<m>`; `qkv` is split into `q` and `kv` |
| `….ca_blocks.<m>.norm1` of `sca` | nothing: the release never uses it |
| `net_clap.fc`, `net_synthesizer` | `masker.head` |
| `stft`, `istft` | nothing: fixed functions of n_fft |
| `net_clap.model` | nothing, see `official_clap.py` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..masknn.cond_unet import CondUNet
from ..utils.checkpoints import check_fit, count_layers, no_larger_than, read_tensors

# What the release fixes in its scripts instead of storing it.
SAMPLE_RATE, N_FFT, HOP_LENGTH = 16000, 1022, 256
CLAP = "laion/larger_clap_music"  # its music_audioset_epoch_15_esc_90.14.pt

_NET = re.compile(r"net_sound\.unet_block\.((?:submodule\.)*)(.+)")
_CONDITION = re.compile(r"levels\.\d+\.conditions\.(\d+)\.(.+)")
_IGNORED = ("stft.", "istft.", "net_clap.model.")
_RENAMES = (
    (r"^(down|up)resblock\.res_layers\.(\d+)\.0\.", r"\1_res.convs.\2."),
    (r"^(down|up)resblock\.res_layers\.(\d+)\.1\.", r"\1_res.norms.\2."),
    (r"^(down|up)(conv|norm)\.", r"\1_\2."),
    (r"^ca_blocks\.", "conditions."),
    (r"\.sa_block\.", ".self_attention."),
    (r"\.ca_block\.", ".cross_attention."),
    (r"\.attn\.", ".attention."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.2."),
)
_HEAD = {
    "net_clap.fc.weight": "head.weights.weight",
    "net_clap.fc.bias": "head.weights.bias",
    "net_synthesizer.scale": "head.scale",
    "net_synthesizer.bias": "head.bias",
}


@dataclass(frozen=True)
class OfficialModel:
    """A checkpoint of the release in this package's terms.

    Attributes:
        model_args: arguments of `BiModalUNet`.
        state_dict: weights of its masker.
    """

    model_args: dict[str, Any]
    state_dict: dict[str, Tensor]


def load_official(path: str | PathLike, num_heads: int = 8) -> OfficialModel:
    """Reads a checkpoint of the release without running anything that the file holds.

    Args:
        path: the checkpoint.
        num_heads: attention heads, the one size that the weights do not tell.

    Raises:
        ValueError: for another kind of file, and for a weight that is missing, unexpected or of a
            shape that does not fit the others.
    """
    official = read_state_dict(path)
    renamed = rename(official)
    config = read_config(renamed, num_heads)
    state = split_attention(renamed)
    with no_larger_than(state, str(path)):
        network = CondUNet(**config)
    check_fit(network.state_dict(), state, str(path))
    window = official.get("istft.ola_window")
    args = {
        "sample_rate": SAMPLE_RATE,
        "n_fft": N_FFT if window is None else window.numel(),
        "hop_length": HOP_LENGTH,
        "query_encoder": CLAP,
        **config,
    }
    return OfficialModel(args, state)


def read_state_dict(path: str | PathLike) -> dict[str, Tensor]:
    """Reads a file of weights, bare or under "state_dict", without the `module.` before names."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} does not exist.")
    content = read_tensors(path)
    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(
            f"Expected a 'state_dict' of tensors in {path}, found "
            f"{', '.join(map(str, content))[:200] or 'nothing'}."
        )
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def rename(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives the separator's weights our names, and leaves out what it does not need."""
    names = {name: _rename(name) for name in official if not name.startswith(_IGNORED)}
    blocks = {ours.split("cross_attention.")[0] for ours in names.values() if "cross_" in ours}
    return {
        ours: official[name]
        for name, ours in names.items()
        # The release's `sca` blocks own a norm that nothing runs.
        if not any(ours.startswith(f"{block}norm1.") for block in blocks)
    }


def read_config(state: Mapping[str, Tensor], num_heads: int = 8) -> dict[str, Any]:
    """Reads the arguments of `CondUNet` off renamed weights."""
    for name in ("levels.0.down_conv.weight", "levels.0.up_conv.weight", "head.weights.weight"):
        if name not in state or state[name].ndim < 2:
            raise ValueError(f"The checkpoint is not of the release: it has no usable {name}.")
    conditions = [match for match in map(_CONDITION.fullmatch, state) if match]
    config = {
        "out_dim": state["levels.0.up_conv.weight"].shape[0],
        "pooled_dim": state["head.weights.weight"].shape[1],
        "num_downs": count_layers(state, r"levels\.(\d+)\..*"),
        "ngf": state["levels.0.down_conv.weight"].shape[0],
        "num_res_layers": count_layers(state, r"levels\.0\.down_res\.convs\.(\d+)\..*"),
        "num_cond_blocks": 1 + max((int(match[1]) for match in conditions), default=0),
        "num_heads": num_heads,
        "cond_layer": _cond_layer({match[2] for match in conditions}),
        "mask_padding": False,
    }
    for name, value in state.items():
        if name.endswith("attention.kv.weight") and value.ndim == 2:
            config["cond_dim"] = value.shape[1]
    return config


def split_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Splits renamed weights of self-attention, stacked in the release, into `q` and `kv`."""
    split = {}
    for name, value in state.items():
        if ".attention.qkv." in name:
            rows = torch.atleast_1d(value)
            split[name.replace(".qkv.", ".q.")] = rows[: len(rows) // 3]
            split[name.replace(".qkv.", ".kv.")] = rows[len(rows) // 3 :]
        else:
            split[name] = value
    return split


def _rename(name: str) -> str:
    if name in _HEAD:
        return _HEAD[name]
    if name.startswith("net_sound.bn0."):
        return name.replace("net_sound.bn0.", "input_norm.")
    match = _NET.fullmatch(name)
    if match is None:
        raise ValueError(f"The checkpoint is not of the release: it has an unexpected {name}.")
    member = match[2]
    for pattern, replacement in _RENAMES:
        member = re.sub(pattern, replacement, member)
    return f"levels.{match[1].count('submodule.')}.{member}"


def _cond_layer(members: set[str]) -> str:
    """Tells the conditioning layer from the weights in its blocks."""
    tell_tales = {
        "sca": "cross_attention.attention.kv.weight",
        "ca": "attention.kv.weight",
        "sa": "attention.qkv.weight",
    }
    for layer, name in tell_tales.items():
        if name in members:
            return layer
    if members:
        raise ValueError(
            "The checkpoint is not of the release: its conditioning blocks are none of "
            f"{', '.join(tell_tales)} or identity, they hold {', '.join(sorted(members)[:3])}."
        )
    return "identity"
