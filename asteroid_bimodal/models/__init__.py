"""Separators; importing this package makes `asteroid.models.get` find them."""

from ..utils.asteroid_compat import register_model
from .bimodal_unet import BiModalUNet
from .clipsep import CLIPSep
from .lassnet import LASSNet
from .load import load_separator
from .queried import QueriedSeparator
from .spectra import Separation

for _separator in (BiModalUNet, CLIPSep, LASSNet):
    register_model(_separator)

__all__ = [
    "BiModalUNet",
    "CLIPSep",
    "LASSNet",
    "QueriedSeparator",
    "Separation",
    "load_separator",
]
