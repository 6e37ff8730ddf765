"""What a separator finds in mixtures: their spectra, and a mask for each query.

Legend: B mixtures, C channels, Q queries of a mixture, F frequencies, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..dsp.spectral import magnitude
from ..utils.audio_file import cancels

_LEAST_SUM = 1e-4  # of the masks of a place below which nothing of it is given away


def mono_spectrum(spectrum: Tensor) -> Tensor:
    """Averages the channels of each mixture; where they cancel each other, the loudest stands.

    Args:
        spectrum: (B, C, 2·F, T).

    Returns:
        (B, 2·F, T), by the rule of `utils.audio_file.to_mono`.
    """
    mean = spectrum.mean(dim=1)
    if spectrum.shape[1] == 1:
        return mean
    energies = torch.linalg.vector_norm(spectrum.detach(), dim=(-2, -1)).square()  # (B, C)
    energy = torch.linalg.vector_norm(mean.detach(), dim=(-2, -1)).square()
    loudest = spectrum[torch.arange(len(spectrum), device=spectrum.device), energies.argmax(-1)]
    return torch.where(cancels(energy, energies)[:, None, None], loudest, mean)


@dataclass(frozen=True)
class MaskedSpectra:
    """Spectra of mixtures, and the masks of their queries.

    Attributes:
        spectrum: of the mixtures, real parts then imaginary parts, (B, C, 2·F, T).
        masks: of the queries, the same for all channels, (B, Q, F, T): factors of the magnitudes
            between 0 and 1, or complex numbers, which also turn phases.
        length: samples of the mixtures.
        noise_masks: of a masker's noise heads, (B, M, F, T), where they were asked for.
    """

    spectrum: Tensor
    masks: Tensor
    length: int
    noise_masks: Tensor | None = None

    @cached_property
    def mono(self) -> Tensor:
        """The spectra that the masker is given, see `mono_spectrum`: (B, 2·F, T)."""
        return mono_spectrum(self.spectrum)

    @cached_property
    def magnitude(self) -> Tensor:
        """Magnitudes of the mixtures, as `mono`: (B, F, T)."""
        return magnitude(self.mono)

    @cached_property
    def estimates(self) -> Tensor:
        """Masked magnitudes, (B, Q, F, T)."""
        return self.gains * self.magnitude.unsqueeze(1)

    @property
    def gains(self) -> Tensor:
        """What the masks do to magnitudes, (B, Q, F, T)."""
        return self.masks.abs() if self.masks.is_complex() else self.masks

    def top_shares(self) -> Tensor:
        r"""What each query gets of the upper half of the band, (B, Q, T).

        In each frame the energy that its mask lets through there, over that of all masks and of
        what they leave, :math:`(1 - \sum_q m_q) X`; so they add up to 1 at most.
        """
        magnitudes = self.magnitude[:, self.magnitude.shape[1] // 2 :]  # (B, F / 2, T)
        masks = self.masks[:, :, -magnitudes.shape[1] :]
        left = 1 - masks.sum(dim=1, keepdim=True)
        gains = torch.cat([masks, left], dim=1).abs()
        energies = (gains * magnitudes.unsqueeze(1)).square().sum(-2)  # (B, Q + 1, T)
        total = energies.sum(dim=1, keepdim=True)
        return energies[:, :-1] / total.clamp_min(torch.finfo(total.dtype).tiny)

    def without(self, num_negative: int) -> MaskedSpectra:
        r"""Takes the last queries, the negative ones, out of the others.

        Together they take :math:`N = \sum_n m_n` of the mixture, limited to magnitude 1, where
        :math:`m` are masks, and nothing twice; what is left, :math:`(1 - N) m_q`, is the mask of
        each other query :math:`q`. If there is no other, :math:`1 - N` is the only mask.

        Args:
            num_negative: how many of the queries are negative.
        """
        num_wanted = self.masks.shape[1] - num_negative
        taken = self.masks[:, num_wanted:].sum(dim=1, keepdim=True)  # (B, 1, F, T)
        left = 1 - taken / taken.abs().clamp_min(1)
        return replace(self, masks=left * self.masks[:, :num_wanted] if num_wanted else left)

    def shared(self) -> MaskedSpectra:
        r"""Has the queries share each place of the mixture, as where they name all that sounds.

        The mask of query :math:`q` becomes :math:`m_q / \sum_r |m_r|`, so that real masks add up to
        1: what none of them dared to take goes to the likeliest.
        """
        total = self.gains.sum(dim=1, keepdim=True)  # (B, 1, F, T)
        return replace(self, masks=self.masks / total.clamp_min(_LEAST_SUM))
