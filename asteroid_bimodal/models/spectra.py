"""Mixtures and what was found in them as spectra, for losses and scores.

Legend: B mixtures, Q queries of a mixture, F frequencies, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..dsp.spectral import magnitude


@dataclass(frozen=True)
class Separation:
    """Mixtures and their estimates as spectra.

    Attributes:
        magnitude: of the mixtures, (B, F, T).
        estimates: masked magnitudes, (B, Q, F, T).
        masks: between 0 and 1, (B, Q, F, T).
        spectrum: of the mixtures, real parts then imaginary parts, (B, 2·F, T).
        length: samples of the mixtures.
    """

    magnitude: Tensor
    estimates: Tensor
    masks: Tensor
    spectrum: Tensor
    length: int

    @classmethod
    def of(cls, spectrum: Tensor, masks: Tensor, length: int) -> Separation:
        """Masks the magnitudes of spectra.

        Args:
            spectrum: (B, 2·F, T).
            masks: (B, Q, F, T).
            length: samples of the mixtures.
        """
        magnitudes = magnitude(spectrum)
        return cls(magnitudes, masks * magnitudes.unsqueeze(1), masks, spectrum, length)

    @property
    def presence(self) -> Tensor:
        r"""How surely each sound is there, from 0 to 1, (B, Q).

        The mean of the mask over what it lets through,
        :math:`\sum m (m |X|)^2 / \sum (m |X|)^2`: near 1 where an estimate is made of places that
        clearly are its own, near 0 where it is made of crumbs. Neither the level of the mixture
        nor the share of the sound in it matters. Of silence it is 0.
        """
        energy = self.estimates.square()
        total = energy.sum((-2, -1)).clamp_min(torch.finfo(energy.dtype).tiny)
        return (self.masks * energy).sum((-2, -1)) / total
