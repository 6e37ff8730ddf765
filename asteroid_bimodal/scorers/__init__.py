"""Frozen networks that judge whether audio matches a text."""

from ..utils.clap import PretrainedClap, load_clap
from ..utils.frozen import FrozenModule
from .clap import ClapFeatures, ClapScorer
from .timbre import TimbreClassifier

__all__ = [
    "ClapFeatures",
    "ClapScorer",
    "FrozenModule",
    "PretrainedClap",
    "TimbreClassifier",
    "load_clap",
]
