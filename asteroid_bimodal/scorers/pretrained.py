"""Pretrained CLAP models, as scorers use them; query encoders share them through `utils`."""

from ..utils.clap import (
    CONTEXT_LENGTH,
    MINI,
    PretrainedClap,
    TextStates,
    check_texts,
    encode_texts,
    load_clap,
    max_context,
)
from ..utils.frozen import FixedNorm2d, FrozenModule

__all__ = [
    "CONTEXT_LENGTH",
    "MINI",
    "FixedNorm2d",
    "FrozenModule",
    "PretrainedClap",
    "TextStates",
    "check_texts",
    "encode_texts",
    "load_clap",
    "max_context",
]
