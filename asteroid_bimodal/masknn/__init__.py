"""Networks that turn a spectrogram and a query into masks."""

from .cond_unet import CondUNet

__all__ = ["CondUNet"]
