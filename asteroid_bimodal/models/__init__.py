"""Separators; importing this package makes `asteroid.models.get` find them."""

from ..utils.asteroid_compat import register_model
from .audiosep import AudioSep
from .bimodal_unet import BiModalUNet
from .clipsep import CLIPSep
from .lassnet import LASSNet
from .light_bimodal_unet import LightBiModalUNet
from .likelihood import Calibration, Score
from .load import load_separator
from .masked_spectra import MaskedSpectra
from .queried import QueriedSeparator
from .result import SeparationResult
from .streaming import SeparationStream

for _separator in (AudioSep, BiModalUNet, CLIPSep, LASSNet, LightBiModalUNet):
    register_model(_separator)

__all__ = [
    "AudioSep",
    "BiModalUNet",
    "CLIPSep",
    "Calibration",
    "LASSNet",
    "LightBiModalUNet",
    "MaskedSpectra",
    "QueriedSeparator",
    "Score",
    "SeparationResult",
    "SeparationStream",
    "load_separator",
]
