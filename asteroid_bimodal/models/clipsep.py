"""CLIPSep's separator, which is also that of The Sound of Pixels."""

from __future__ import annotations

from ..masknn.sound_unet import SoundUNet
from .queried import QueriedSeparator


class CLIPSep(QueriedSeparator):
    """Separates what queries name, with masks of a `SoundUNet`; see `QueriedSeparator` for its use.

    CLIPSep's queries are CLIP embeddings of frames or texts, those of The Sound of Pixels features
    of frames.

    References:
        Dong et al., "CLIPSep: learning text-queried sound separation with noisy unlabeled videos",
        ICLR 2023. Zhao et al., "The sound of pixels", ECCV 2018.
    """

    masker_class = SoundUNet
