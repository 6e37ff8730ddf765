"""Configuration to objects, training and evaluation of the recipes' systems."""

from ..utils.extras import extra

with extra("recipes"):
    import omegaconf  # noqa: F401
