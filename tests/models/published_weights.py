"""Checkpoints in the layouts of published separators, with weights that a rule makes.

The rule and the numbers in fixtures/peers belong together: the authors' own code was run with such
weights. An element's value follows from the name of its weight and its place alone.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from asteroid_bimodal.masknn import ResUNet30
from asteroid_bimodal.queries import QueryEmbedding

PEERS = Path(__file__).parents[1] / "fixtures" / "peers"
PREFIX = re.compile(r"^(ss_model|module)\.")


@dataclass(frozen=True)
class Peer:
    """A published network: its weights, and what came out of it."""

    state: dict[str, Tensor]
    outputs: dict[str, Tensor]


def read_peer(name: str) -> Peer:
    about = json.loads((PEERS / f"{name}.json").read_text())
    state = {}
    for key, rule in about["keys"].items():
        if "value" in rule:
            state[key] = torch.full(rule["shape"], rule["value"], dtype=torch.int64)
        elif "scale" in rule:
            noise = hash_noise(PREFIX.sub("", key), about["salt"], math.prod(rule["shape"]))
            values = (rule["offset"] + rule["scale"] * noise).astype(np.float32)
            state[key] = torch.from_numpy(values.reshape(rule["shape"]))
        else:  # a constant of the STFT
            state[key] = torch.zeros(1).expand(rule["shape"])
    return Peer(state, load_file(PEERS / f"{name}.safetensors"))


def hash_noise(key: str, salt: int, count: int) -> np.ndarray:
    """Numbers between -1 and 1 that follow from a key."""
    mixed = np.arange(count, dtype=np.uint32) ^ np.uint32(zlib.crc32(key.encode()) ^ salt)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        mixed = (mixed ^ (mixed >> shift)) * np.uint32(factor)
    return mixed / 2.0**31 - 1


def query_of(pooled: Tensor) -> QueryEmbedding:
    """Queries of which a network looks at pooled vectors (B, Q, E) alone."""
    empty = torch.zeros(*pooled.shape[:2], 1, 1)
    return QueryEmbedding(empty, torch.ones(empty.shape[:3], dtype=torch.bool), pooled)


def small_audiosep(pooled_dim: int = 4) -> dict[str, Tensor]:
    """A network of AudioSep's layout with few weights, by the authors' names."""
    torch.manual_seed(0)
    masker = ResUNet30(num_freqs=65, pooled_dim=pooled_dim, num_downs=6, ngf=2)
    state = {f"ss_model.{_published(name)}": value for name, value in masker.state_dict().items()}
    unused = {"bn2.weight": 8, "bn2.running_var": 8}
    state |= {f"ss_model.base.decoder_block1.{key}": torch.ones(n) for key, n in unused.items()}
    state["ss_model.film.decoder_block1->beta2.bias"] = torch.ones(8)
    state["ss_model.base.stft.conv_real.weight"] = torch.ones(65, 1, 128)
    return state


def _published(name: str) -> str:
    parts = name.split(".")
    if parts[0] in (tops := {"input_norm": "bn0", "stem": "pre_conv", "head": "after_conv"}):
        return ".".join(["base", tops[parts[0]], *parts[1:]])
    if parts[0] == "middle":
        block, rest = ["conv_block7a", "conv_block1"], parts[1:]
    elif parts[0] == "encoders":
        block, rest = [f"encoder_block{int(parts[1]) + 1}", "conv_block1"], parts[2:]
    elif parts[2] == "block":
        block, rest = [f"decoder_block{int(parts[1]) + 1}", "conv_block2"], parts[3:]
    else:
        block, rest = [f"decoder_block{int(parts[1]) + 1}"], parts[2:]
        rest[0] = {"norm": "norm1", "shift": "shift1", "up_conv": "conv1"}[rest[0]]
    if rest[0].startswith("shift"):
        return f"film.{'->'.join([*block, rest[0].replace('shift', 'beta')])}.{rest[1]}"
    return ".".join(["base", *block, rest[0].replace("norm", "bn"), *rest[1:]])
