"""CLIPSep's separator, which is also that of The Sound of Pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ..masknn.sound_unet import SoundUNet
from .queried import QueriedSeparator
from .spectra import Separation

if TYPE_CHECKING:
    from ..queries.base import QueryEmbedding


class CLIPSep(QueriedSeparator):
    """Separates what queries name, with masks of a `SoundUNet`; see `QueriedSeparator` for its use.

    CLIPSep asks it by CLIP embeddings of frames or texts, The Sound of Pixels by frame features.

    References:
        Dong et al., "CLIPSep: learning text-queried sound separation with noisy unlabeled videos",
        ICLR 2023. Zhao et al., "The sound of pixels", ECCV 2018.
    """

    masker_class = SoundUNet

    def separate_with_noise(self, wav: Tensor, query: QueryEmbedding) -> tuple[Separation, Tensor]:
        """Does what `separate_spectra` does, and finds the masks of the noise heads.

        Args:
            wav: mixtures, (B, T).
            query: their queries.

        Returns:
            The separation, and (B, num_noise, F, T).

        Raises:
            ValueError: where there is no noise head.
        """
        spectrum = self.forward_encoder(wav.unsqueeze(1)).squeeze(1)  # (B, 2·F, T)
        found = self.masker.forward_with_noise(self.masker_input(spectrum), query)
        return Separation.of(spectrum, found.masks, wav.shape[-1]), found.noise
