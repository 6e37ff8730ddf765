"""A tiny CLAP, and LAION's names for its weights."""

from __future__ import annotations

import re

import torch
from transformers import ClapConfig, ClapModel

from asteroid_bimodal.utils.clap import load_clap

COUNTERS = ("text_model.embeddings.position_ids", "text_model.embeddings.token_type_ids")


def tiny_clap():
    torch.manual_seed(0)
    vocab_size = len(load_clap("mini").tokenizer)
    audio = dict(
        patch_embeds_hidden_size=4, hidden_size=8, depths=[1, 2], num_attention_heads=[1, 2]
    )
    text = dict(
        vocab_size=vocab_size,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=16,
        layer_norm_eps=1e-5,
    )
    shared = dict(projection_dim=12)
    return ClapModel(
        ClapConfig(**shared, audio_config={**audio, **shared}, text_config={**text, **shared})
    ).eval()


def as_laion(model):
    """Writes a CLAP in LAION's layout."""
    state, stacked = {}, {}
    for name, value in model.state_dict().items():
        if name in COUNTERS:
            continue
        for pattern, replacement in [
            (r"^text_model", "text_branch"),
            (r"^audio_model\.audio_encoder\.batch_norm", "audio_branch.bn0"),
            (r"^audio_model\.audio_encoder", "audio_branch"),
            (r"_projection\.linear1", "_projection.0"),
            (r"_projection\.linear2", "_projection.2"),
        ]:
            name = re.sub(pattern, replacement, name)
        if name.startswith("audio_branch.layers"):
            for ours, theirs in [
                ("layernorm_before", "norm1"),
                ("layernorm_after", "norm2"),
                ("attention.output.dense", "attn.proj"),
                ("attention.self", "attn"),
                ("intermediate.dense", "mlp.fc1"),
                ("output.dense", "mlp.fc2"),
            ]:
                name = name.replace(ours, theirs)
        match = re.fullmatch(r"(.*attn\.)(query|key|value)(\..*)", name)
        if match and name.startswith("audio_branch"):
            stacked.setdefault(f"{match[1]}qkv{match[3]}", []).append(value)
        else:
            state[name] = value
    state.update({name: torch.cat(values) for name, values in stacked.items()})
    return state
