"""Networks that turn a spectrogram and a query into masks, and one that hears what is there."""

from .cond_unet import CondUNet
from .film import FiLM, FiLMAdapter
from .film_resunet import FiLMResUNet
from .light_unet import LightUNet
from .res_unet30 import ResUNet30
from .sound_unet import MasksWithNoise, SoundUNet
from .tagger import Tagger

__all__ = [
    "CondUNet",
    "FiLM",
    "FiLMAdapter",
    "FiLMResUNet",
    "LightUNet",
    "MasksWithNoise",
    "ResUNet30",
    "SoundUNet",
    "Tagger",
]
