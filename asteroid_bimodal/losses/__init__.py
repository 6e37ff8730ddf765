"""Losses in Asteroid's conventions: (estimates, targets), (batch, n_src, ...), `reduction`."""

from .co_separation import CoSeparationLoss, CoSeparationTerms
from .mixit import TextConditionedMixIT
from .mixpit import MixPITLossWrapper
from .nit import NoiseInvariantLoss, NoiseInvariantTerms
from .quadratic import QuadraticForm
from .reconstruction import (
    HierarchicalReconstructionLoss,
    LogWeightedBCE,
    LogWeightedL1,
    LogWeightedL2,
    ReconstructionTerms,
)
from .similarity import ClapSimilarityLoss, Scorer, bimodal_contrastive
from .weak_label import WeakLabelLoss, WeakLabelTerms

__all__ = [
    "ClapSimilarityLoss",
    "CoSeparationLoss",
    "CoSeparationTerms",
    "HierarchicalReconstructionLoss",
    "LogWeightedBCE",
    "LogWeightedL1",
    "LogWeightedL2",
    "MixPITLossWrapper",
    "NoiseInvariantLoss",
    "NoiseInvariantTerms",
    "QuadraticForm",
    "ReconstructionTerms",
    "Scorer",
    "TextConditionedMixIT",
    "WeakLabelLoss",
    "WeakLabelTerms",
    "bimodal_contrastive",
]
