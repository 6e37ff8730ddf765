"""Reads the checkpoints of CLIPSep's authors (`best_model.pt`).

What they store, and where it goes here (level i is nested i times):

| published | here |
|-|-|
| `sound_net.bn0` | `masker.input_norm` |
| `sound_net.unet_block.(model.<k>.)*` | `masker.levels.<i>` |
| `frame_net`, `synth_net` | `masker.head` |
| `pit_nets.<k>` | `masker.noise_nets.<k>` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import Any

from torch import Tensor

from ..masknn.sound_unet import SoundUNet
from ..utils.checkpoints import check_fit, count_layers, no_larger_than
from .official import OfficialModel, read_state_dict

# What the authors' configuration fixes instead of storing it.
_SETTINGS = {"sample_rate": 16000, "n_fft": 1024, "hop_length": 256}
_ROWS = 256
_CLIP = "clip:openai/clip-vit-base-patch32|raw"

_LEVEL = re.compile(r"sound_net\.unet_block\.model\.((?:\d+\.model\.)*)(\d+)\.(.+)")
_OUTERMOST = {"0": "down_conv", "4": "up_conv"}
_MIDDLE = {"1": "down_conv", "2": "down_norm", "6": "up_conv", "7": "up_norm"}
_INNERMOST = {"1": "down_conv", "4": "up_conv", "5": "up_norm"}
_OTHERS = {
    "sound_net.bn0.": "input_norm.",
    "frame_net.": "head.weights.",
    "synth_net.": "head.",
    "pit_nets.": "noise_nets.",
}


def load_clipsep(path: str | PathLike) -> OfficialModel:
    """Reads a checkpoint of CLIPSep's authors without running anything that the file holds.

    Args:
        path: the checkpoint.

    Raises:
        ValueError: for another kind of file, and for a weight that is missing, unexpected or of a
            shape that does not fit the others.
    """
    published = read_state_dict(path)
    state = rename(published)
    needed = ("levels.0.down_conv.weight", "levels.0.up_conv.weight", "head.weights.weight")
    if any(name not in state or state[name].ndim < 2 for name in needed):
        raise ValueError(
            f"Expected a checkpoint of CLIPSep in {path}; found {', '.join(published)[:100]}."
        )
    config: dict[str, Any] = {
        "out_dim": state["levels.0.up_conv.weight"].shape[0],
        "pooled_dim": state["head.weights.weight"].shape[1],
        "num_downs": count_layers(state, r"levels\.(\d+)\..*"),
        "ngf": state["levels.0.down_conv.weight"].shape[0],
        "log_freq_bins": _ROWS,
        "num_noise": sum(
            re.fullmatch(r"noise_nets\.\d+\.bias", name) is not None for name in state
        ),
        "on_magnitudes": True,
        "noise_of_queries": True,
    }
    with no_larger_than(state, str(path)):
        network = SoundUNet(**config)
    check_fit(network.state_dict(), state, str(path))
    return OfficialModel({**_SETTINGS, "query_encoder": _CLIP, **config}, state)


def rename(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives the weights our names; those that are none of the network's keep theirs."""
    found = {name: match for name in published if (match := _LEVEL.fullmatch(name))}
    depths = {name: match[1].count("model.") for name, match in found.items()}
    deepest = max(depths.values(), default=0)
    return {
        _level_name(depths[name], deepest, found[name])
        if name in found
        else _other_name(name): value
        for name, value in published.items()
    }


def _level_name(depth: int, deepest: int, match: re.Match[str]) -> str:
    members = _OUTERMOST if depth == 0 else _INNERMOST if depth == deepest else _MIDDLE
    return f"levels.{depth}.{members.get(match[2], match[2])}.{match[3]}"


def _other_name(name: str) -> str:
    for published, ours in _OTHERS.items():
        if name.startswith(published):
            return ours + name.removeprefix(published)
    return name
