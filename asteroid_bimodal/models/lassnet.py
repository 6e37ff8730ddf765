"""LASS-Net's separator."""

from __future__ import annotations

from ..masknn.film_resunet import FiLMResUNet
from .queried import QueriedSeparator


class LASSNet(QueriedSeparator):
    """Separates what words name, with masks of a `FiLMResUNet`; see `QueriedSeparator` for its use.

    References:
        Liu et al., "Separate what you describe: language-queried audio source separation",
        Interspeech 2022.
    """

    masker_class = FiLMResUNet
