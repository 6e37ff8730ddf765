"""LAION's CLAP (HTSAT and RoBERTa) in its own layout, as a `transformers.ClapModel`.

Weights get the names that transformers has for them, and sizes are read off them, so that the
checkpoints of `laion_clap` need neither that package nor its configurations. The tokenizer,
roberta-base's, is not among the weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .checkpoints import check_fit, count_layers, first_line, no_larger_than, read_tensors

if TYPE_CHECKING:
    from transformers import ClapFeatureExtractor, ClapModel

TOKENIZER = "roberta-base"
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


def read_laion(path: Path) -> ClapModel:
    """Reads a checkpoint of `laion_clap`, such as `music_speech_audioset_epoch_15_esc_89.98.pt`."""
    if not path.is_file():
        raise ValueError(
            f"Expected a checkpoint of laion_clap at {path}, found no file. With a network, "
            f"`hf download lukewys/laion_clap {path.name} --local-dir {path.parent}` fetches "
            f"LAION's own; without one, pass 'mini', which is part of the package."
        )
    content = read_tensors(path)
    weights = content.get("state_dict", content)
    if not isinstance(weights, dict) or not any("_branch." in str(name) for name in weights):
        raise ValueError(
            f"Expected the weights of LAION's CLAP in {path}, found "
            f"{', '.join(map(str, content))[:200] or 'nothing'}. A checkpoint of the paper's "
            f"release is read by `asteroid-bimodal import`."
        )
    try:
        state = rename_clap({str(name).removeprefix("module."): v for name, v in weights.items()})
        config = read_clap_config(state)
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(
            f"Expected LAION's CLAP in {path}, found no usable {first_line(error)}."
        ) from error
    return build_clap(config, state, str(path))


def rename_clap(laion: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives LAION's weights the names that transformers has for them."""
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
    """Reads the arguments of `ClapConfig` off weights."""
    audio, text = "audio_model.audio_encoder.", "text_model."
    patches = state[f"{audio}patch_embed.proj.weight"].shape
    words = state[f"{text}embeddings.word_embeddings.weight"].shape
    bias = ".attention.self.relative_position_bias_table"
    stages = count_layers(state, rf"{audio}layers\.(\d+)\..*")
    tables = [state[f"{audio}layers.{index}.blocks.0{bias}"].shape for index in range(stages)]
    projection_dim = state["text_projection.linear2.weight"].shape[0]
    fusion = f"{audio}patch_embed.mel_conv2d.weight" in state
    return {
        "projection_dim": projection_dim,
        "audio_config": {
            "num_mel_bins": state[f"{audio}batch_norm.weight"].shape[0],
            "patch_embeds_hidden_size": patches[0],
            "patch_size": patches[-1],
            "hidden_size": patches[0] * 2 ** (stages - 1),
            "depths": [
                count_layers(state, rf"{audio}layers\.{index}\.blocks\.(\d+)\..*")
                for index in range(stages)
            ],
            "num_attention_heads": [table[1] for table in tables],
            "window_size": (math.isqrt(tables[0][0]) + 1) // 2,
            "projection_dim": projection_dim,
            **({"enable_fusion": True, "fusion_type": "aff_2d"} if fusion else {}),
        },
        "text_config": {
            "vocab_size": words[0],
            "hidden_size": words[1],
            "num_hidden_layers": count_layers(state, rf"{text}encoder\.layer\.(\d+)\..*"),
            "num_attention_heads": max(words[1] // 64, 1),  # as in every RoBERTa
            "intermediate_size": state[f"{text}encoder.layer.0.intermediate.dense.weight"].shape[0],
            "max_position_embeddings": len(state[f"{text}embeddings.position_embeddings.weight"]),
            "layer_norm_eps": 1e-5,  # RoBERTa's; ClapTextConfig's own default is 1e-12
            "projection_dim": projection_dim,
        },
    }


def build_clap(config: dict[str, Any], state: dict[str, Tensor], source: str) -> ClapModel:
    """Builds the network of renamed weights, in eval mode."""
    from transformers import ClapConfig, ClapModel

    try:
        with no_larger_than(state, source):
            model = ClapModel(ClapConfig(**config))
    except Exception as error:  # transformers raises anything for sizes that nobody would choose
        raise ValueError(f"Expected LAION's CLAP in {source}: {first_line(error)}.") from error
    fixed = dict(model.state_dict())
    counters = {  # which LAION does not store
        name: fixed[name]
        for name in (
            f"text_model.embeddings.{counter}" for counter in ("position_ids", "token_type_ids")
        )
    }
    state = {**state, **counters}
    check_fit(fixed, state, source)
    model.load_state_dict(state)
    return model.eval()


def build_extractor(config: dict[str, Any]) -> ClapFeatureExtractor:
    """Sets up the features that LAION's CLAP was trained with."""
    from transformers import ClapFeatureExtractor

    audio = config["audio_config"]
    return ClapFeatureExtractor(
        feature_size=audio["num_mel_bins"],
        frequency_min=50,
        frequency_max=14000,
        truncation="fusion" if audio.get("enable_fusion") else "rand_trunc",
        padding="repeatpad",
    )
