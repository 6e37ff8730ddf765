"""Reads AudioSep's published checkpoints, and those of the same layout.

What they store, and where it goes here:

| published | here |
|-|-|
| `ss_model.base.bn0`, `pre_conv`, `after_conv` | `masker.input_norm`, `stem`, `head` |
| `ss_model.base.encoder_block<i>.conv_block1.*` | `masker.encoders.<i - 1>.*` |
| `ss_model.base.conv_block7a.conv_block1.*` | `masker.middle.*` |
| `ss_model.base.decoder_block<i>.{bn1,conv1}` | `masker.decoders.<i - 1>.{norm,up_conv}` |
| `ss_model.base.decoder_block<i>.conv_block2.*` | `masker.decoders.<i - 1>.block.*` |
| `ss_model.film.<block>->beta<k>` | `shift<k>` of that block, of decoders `shift` |
| `decoder_block<i>.bn2`, `decoder_block<i>->beta2` | nothing: never run |
| `ss_model.base.{stft,istft}` | nothing: fixed functions of n_fft |
| `query_encoder` | nothing, see `official_clap.py` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike

from torch import Tensor

from ..masknn.res_unet30 import ResUNet30
from ..utils.checkpoints import check_fit, count_layers, no_larger_than
from .official import OfficialModel, read_state_dict

PREFIX = "ss_model."

# What the authors' configurations fix instead of storing it: n_fft to rate and hop.
_RATES = {2048: (32000, 320), 1024: (16000, 160)}
_FIRST = "base.bn0.weight"
_IGNORED = re.compile(
    r"base\.i?stft\..*|base\.decoder_block\d+\.bn2\..*|film\.decoder_block\d+->beta2\..*"
)
_RENAMES = (
    (r"^(base|film)\.", ""),
    ("->", "."),
    (r"\.beta", ".shift"),
    (r"\.bn", ".norm"),
    (r"^bn0\.", "input_norm."),
    (r"^pre_conv\.", "stem."),
    (r"^after_conv\.", "head."),
    (r"^conv_block7a\.conv_block1\.", "middle."),
    (r"^(encoder_block\d+)\.conv_block1\.", r"\1."),
    (r"^(decoder_block\d+)\.conv_block2\.", r"\1.block."),
    (r"^(decoder_block\d+)\.(norm|shift)1\.", r"\1.\2."),
    (r"^(decoder_block\d+)\.conv1\.", r"\1.up_conv."),
)
_BLOCK = re.compile(r"^(encoder|decoder)_block(\d+)")


def load_audiosep(
    path: str | PathLike, sample_rate: float | None = None, hop_length: int | None = None
) -> OfficialModel:
    """Reads a checkpoint of AudioSep's layout without running anything that the file holds.

    Args:
        path: Lightning's checkpoint, or a bare state_dict.
        sample_rate: in hertz; by default what the authors use with the file's n_fft.
        hop_length: in samples; likewise.

    Raises:
        ValueError: for another kind of file, for a weight that is missing, unexpected or of a
            shape that does not fit the others, and for an n_fft of no published model without
            sample_rate and hop_length.
    """
    published = read_state_dict(path)
    separator = {k.removeprefix(PREFIX): v for k, v in published.items() if k.startswith(PREFIX)}
    if separator.get(_FIRST) is None or separator[_FIRST].ndim != 1:
        raise ValueError(
            f"Expected a checkpoint of AudioSep in {path}, with {PREFIX}{_FIRST}; found "
            f"{', '.join(published)[:100]}."
        )
    state = rename(separator)
    config = _read_config(state)
    with no_larger_than(state, str(path)):
        network = ResUNet30(**config)
    check_fit(network.state_dict(), state, str(path))
    n_fft = 2 * (config["num_freqs"] - 1)
    known = _RATES.get(n_fft, (None, None))
    rate, hop = sample_rate or known[0], hop_length or known[1]
    if rate is None or hop is None:
        raise ValueError(
            f"{path} has an n_fft of {n_fft}, which is of no published AudioSep: give its "
            "sample_rate and hop_length."
        )
    args = {"sample_rate": rate, "n_fft": n_fft, "hop_length": hop, **config}
    return OfficialModel(args, state)


def rename(separator: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives the separator's weights our names, and leaves out what is never run."""
    return {_rename(k): v for k, v in separator.items() if not _IGNORED.fullmatch(k)}


def _rename(name: str) -> str:
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return _BLOCK.sub(lambda block: f"{block[1]}s.{int(block[2]) - 1}", name)


def _read_config(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Reads the arguments of `ResUNet30` off renamed weights."""
    try:
        return {
            "num_freqs": state["input_norm.weight"].shape[0],
            "pooled_dim": state["middle.shift1.weight"].shape[1],
            "num_downs": count_layers(state, r"encoders\.(\d+)\..*"),
            "ngf": state["stem.weight"].shape[0],
        }
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"The checkpoint is not of AudioSep: it has no usable {error}.") from error
