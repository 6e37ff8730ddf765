"""Separators; importing this package makes `asteroid.models.get` find them."""

from ..utils.asteroid_compat import register_model
from .bimodal_unet import BiModalUNet, Separation

register_model(BiModalUNet)

__all__ = ["BiModalUNet", "Separation"]
