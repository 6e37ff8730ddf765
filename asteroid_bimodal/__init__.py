"""Separating sounds by words: an Asteroid plug-in for text-conditioned, weakly supervised models.

The flow, and the folders follow it: caption → queries → embeddings → masker → waveforms → losses →
metrics → report. Importing the package registers its models with `asteroid.models`.
"""

__version__ = "0.1.0"

from .models import BiModalUNet
from .queries import QueryEmbedding, parse_caption

__all__ = ["BiModalUNet", "QueryEmbedding", "__version__", "parse_caption"]
