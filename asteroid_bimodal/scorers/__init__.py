"""Frozen networks that judge whether audio matches a text."""

from .clap import ClapScorer
from .clap_features import ClapFeatures, resample
from .pretrained import FrozenModule, PretrainedClap, load_clap
from .timbre import TimbreClassifier

__all__ = [
    "ClapFeatures",
    "ClapScorer",
    "FrozenModule",
    "PretrainedClap",
    "TimbreClassifier",
    "load_clap",
    "resample",
]
