"""The frozen CLAP inside a checkpoint of the paper's release, as a folder for transformers.

The release carries LAION's CLAP (HTSAT and RoBERTa) under `net_clap.model.model`. Its weights get
the names of `transformers.ClapModel`; sizes are read off them. The tokenizer is not among them.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .official import load_official_state
from .pretrained import check_fit, first_line

PREFIX = "net_clap.model.model."
# The classifier of HTSAT, LAION's unused second projections, and fixed functions of the sizes.
_DROPPED = re.compile(
    r"(audio|text)_transform\..*|audio_branch\.(tscam_conv|head)\..*"
    r"|audio_branch\.(spectrogram_extractor|logmel_extractor)\..*"
    r"|.*\.attn_mask|text_branch\.embeddings\.position_ids"
)
_RENAMES = (
    (r"^text_branch\.", "text_model."),
    (r"^audio_branch\.bn0\.", "audio_model.audio_encoder.batch_norm."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"\.blocks\.(\d+)\.norm1\.", r".blocks.\1.layernorm_before."),
    (r"\.blocks\.(\d+)\.norm2\.", r".blocks.\1.layernorm_after."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.", ".attention.self."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"^(audio|text)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(audio|text)_projection\.2\.", r"\1_projection.linear2."),
)


def export_scorer(
    path: str | PathLike, folder: str | PathLike, tokenizer: str | PathLike = "roberta-base"
) -> None:
    """Writes the CLAP of a checkpoint for `ClapScorer` and `ClapTextEncoder`.

    Args:
        path: checkpoint of the release.
        folder: where to; must be missing or empty, and is written whole or not at all.
        tokenizer: folder or hub id of CLAP's tokenizer.

    Raises:
        ValueError: when the checkpoint holds no CLAP or another one, the tokenizer cannot be had or
            is not its own, or the folder is in use.
    """
    from transformers import ClapFeatureExtractor, ClapModel

    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"Expected no file and no full folder at {folder}. Choose another name.")
    state, config = read_clap(path)
    words = _load_tokenizer(tokenizer, config["text_config"]["vocab_size"])
    model = _build(ClapModel, config, state, str(path))
    extractor = ClapFeatureExtractor(
        feature_size=config["audio_config"]["num_mel_bins"],
        frequency_min=50,
        frequency_max=14000,
        truncation="rand_trunc",
        padding="repeatpad",
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        whole = Path(scratch) / "clap"
        for part in (model, words, extractor):
            part.save_pretrained(whole)
        if folder.exists():
            folder.rmdir()
        shutil.move(whole, folder)


def read_clap(path: str | PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads the CLAP of a checkpoint.

    Args:
        path: checkpoint of the release.

    Returns:
        Weights by the names of `transformers.ClapModel`, and the arguments of `ClapConfig`.

    Raises:
        ValueError: when there is none.
    """
    official = load_official_state(path)
    laion = {k.removeprefix(PREFIX): v for k, v in official.items() if k.startswith(PREFIX)}
    if not laion:
        raise ValueError(f"Expected a CLAP in {path} under {PREFIX}, found none.")
    state = rename_clap(laion)
    try:
        return state, read_clap_config(state)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"Expected LAION's CLAP in {path}, found no usable {first_line(error)}."
        ) from error


def rename_clap(laion: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives LAION's weights the names that transformers has for them.

    Args:
        laion: weights by LAION's names.

    Examples:
        >>> list(rename_clap({"audio_branch.layers.0.blocks.1.attn.qkv.bias": torch.zeros(6)}))[0]
        'audio_model.audio_encoder.layers.0.blocks.1.attention.self.query.bias'
    """
    state = {}
    for name, value in laion.items():
        if _DROPPED.fullmatch(name):
            continue
        for pattern, replacement in _RENAMES:
            name = re.sub(pattern, replacement, name)
        if ".qkv." in name:
            parts = torch.atleast_1d(value).chunk(3)
            for part, rows in zip(("query", "key", "value"), parts, strict=False):
                state[name.replace(".qkv.", f".{part}.")] = rows
        else:
            state[name] = value
    return state


def read_clap_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Reads the arguments of `ClapConfig` off weights.

    Args:
        state: of `rename_clap`.
    """
    audio, text = "audio_model.audio_encoder.", "text_model."
    patches = state[f"{audio}patch_embed.proj.weight"].shape
    words = state[f"{text}embeddings.word_embeddings.weight"].shape
    bias = ".attention.self.relative_position_bias_table"
    stages = _count(state, rf"{audio}layers\.(\d+)\..*")
    tables = [state[f"{audio}layers.{index}.blocks.0{bias}"].shape for index in range(stages)]
    projection_dim = state["text_projection.linear2.weight"].shape[0]
    return {
        "projection_dim": projection_dim,
        "audio_config": {
            "num_mel_bins": state[f"{audio}batch_norm.weight"].shape[0],
            "patch_embeds_hidden_size": patches[0],
            "patch_size": patches[-1],
            "hidden_size": patches[0] * 2 ** (stages - 1),
            "depths": [
                _count(state, rf"{audio}layers\.{index}\.blocks\.(\d+)\..*")
                for index in range(stages)
            ],
            "num_attention_heads": [table[1] for table in tables],
            "window_size": (math.isqrt(tables[0][0]) + 1) // 2,
            "projection_dim": projection_dim,
        },
        "text_config": {
            "vocab_size": words[0],
            "hidden_size": words[1],
            "num_hidden_layers": _count(state, rf"{text}encoder\.layer\.(\d+)\..*"),
            "num_attention_heads": max(words[1] // 64, 1),  # as in every RoBERTa
            "intermediate_size": state[f"{text}encoder.layer.0.intermediate.dense.weight"].shape[0],
            "max_position_embeddings": state[f"{text}embeddings.position_embeddings.weight"].shape[
                0
            ],
            "layer_norm_eps": 1e-5,  # RoBERTa's; ClapTextConfig's own default is 1e-12
            "projection_dim": projection_dim,
        },
    }


def _build(model_class: type, config: dict[str, Any], state: dict[str, Tensor], path: str) -> Any:
    from transformers import ClapConfig

    try:
        model = model_class(ClapConfig(**config))
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"Expected LAION's CLAP in {path}: {first_line(error)}.") from error
    fixed = dict(model.state_dict())
    for name in ("position_ids", "token_type_ids"):  # counters, which LAION does not store
        state[f"text_model.embeddings.{name}"] = fixed[f"text_model.embeddings.{name}"]
    check_fit(fixed, state, path)
    model.load_state_dict(state)
    return model.eval()


def _load_tokenizer(name: str | PathLike, vocab_size: int) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected CLAP's tokenizer at {name!r}, got: {first_line(error)}. Pass the folder "
            "of a copy of roberta-base's."
        ) from error
    if len(tokenizer) != vocab_size:
        raise ValueError(
            f"Expected a tokenizer of {vocab_size} tokens at {name!r}, received one of "
            f"{len(tokenizer)}. Pass the folder of a whole copy of roberta-base's."
        )
    return tokenizer


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return 1 + max(int(match[1]) for match in map(re.compile(pattern).fullmatch, state) if match)
