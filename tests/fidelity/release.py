"""Numbers made with the paper's release, and its small checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from asteroid_bimodal.queries.base import QueryEmbedding

FIXTURES = Path(__file__).parents[1] / "fixtures" / "release"
CHECKPOINT = FIXTURES / "checkpoint_small.pth.tar"


def tensors(name):
    return load_file(FIXTURES / f"{name}.safetensors")


def facts(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def embedding(tokens, pooled):
    """Queries as the release has them: every padded position counts."""
    return QueryEmbedding(tokens, torch.ones(tokens.shape[:3], dtype=torch.bool), pooled)
