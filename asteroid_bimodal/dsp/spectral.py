"""Short-time Fourier transforms: Asteroid's filterbanks with torch.stft's numbers.

A complex spectrum is kept in Asteroid's layout: (..., 2·F, T), real parts, then imaginary parts.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from asteroid_filterbanks import Decoder, Encoder, TorchSTFTFB
from torch import Tensor

_TINY = 1e-11  # of the summed squared windows: nothing is known of a sample below it


class FixedSTFTFB(TorchSTFTFB):
    """`TorchSTFTFB` with a periodic Hann window, whose filters stay out of the checkpoints.

    They are a fixed function of `n_fft`. Equal to `torch.stft(center=True, pad_mode="reflect")` and
    `torch.istft`.

    Args:
        n_fft: length of the window and of the transform, even.
        hop_length: samples between windows, at most half of `n_fft`.
        sample_rate: of the audio, for information.

    Raises:
        ValueError: On an odd `n_fft`, and on a hop from which the signal could not be rebuilt.
    """

    def __init__(self, n_fft: int, hop_length: int, sample_rate: float = 16000.0) -> None:
        if n_fft < 2 or n_fft % 2:
            raise ValueError(f"Expected an even n_fft of 2 or more, received {n_fft}.")
        if not 1 <= hop_length <= n_fft // 2:
            raise ValueError(
                f"Expected a hop_length between 1 and half of n_fft ({n_fft // 2}), received "
                f"{hop_length}."
            )
        window = np.hanning(n_fft + 1)[:-1]
        super().__init__(n_fft, n_fft, hop_length, window=window, sample_rate=sample_rate)
        for name in ("_filters", "torch_window"):
            self.register_buffer(name, getattr(self, name), persistent=False)

    def post_synthesis(self, wav: Tensor) -> Tensor:
        """Divides by the summed squared windows, without the centred first half window.

        The parent finds the samples to divide with a boolean index, which is slow and warns about
        samples that are cut off afterwards.
        """
        length = wav.shape[-1]
        frames = 1 + (length - self.kernel_size) // self.stride
        squared = self.torch_window.pow(2).view(1, -1, 1).expand(1, -1, frames)
        weight = F.fold(squared, (1, length), (1, self.kernel_size), stride=(1, self.stride))
        start = self.kernel_size // 2
        return wav[..., start:] / weight.flatten()[start:].clamp(min=_TINY)


def stft_pair(n_fft: int, hop_length: int, sample_rate: float) -> tuple[Encoder, Decoder]:
    """Returns an Asteroid encoder and decoder that share one `FixedSTFTFB`.

    Examples:
        >>> encoder, decoder = stft_pair(64, 16, 8000)
        >>> wav = torch.randn(1, 1, 100)
        >>> spectrum = encoder(wav)
        >>> spectrum.shape
        torch.Size([1, 66, 7])
        >>> torch.allclose(decoder(spectrum, length=100), wav, atol=1e-5)
        True
    """
    filterbank = FixedSTFTFB(n_fft, hop_length, sample_rate)
    return Encoder(filterbank), Decoder(filterbank)


def pad_for_stft(wav: Tensor, n_fft: int) -> Tensor:
    """Appends silence to a signal that is too short to be reflected at its ends.

    Shape:
        - wav: (..., T), T >= 1
        - returns: (..., max(T, n_fft // 2 + 1))
    """
    missing = n_fft // 2 + 1 - wav.shape[-1]
    return F.pad(wav, (0, missing)) if missing > 0 else wav


def magnitude(spectrum: Tensor) -> Tensor:
    """Returns the magnitudes of a spectrum; their gradient is 0, not NaN, where the spectrum is 0.

    Shape:
        - spectrum: (..., 2·F, T)
        - returns: (..., F, T)

    Examples:
        >>> magnitude(torch.tensor([[3.0], [4.0]]))
        tensor([[5.]])
    """
    return torch.complex(*spectrum.chunk(2, dim=-2)).abs()


def log_magnitude(magnitudes: Tensor) -> Tensor:
    """Returns `log(1 + magnitude)`, the scale on which the networks look at a spectrum."""
    return torch.log1p(magnitudes)


def apply_mask(spectrum: Tensor, masks: Tensor) -> Tensor:
    """Scales a spectrum's magnitudes and keep its phase.

    Shape:
        - spectrum: (..., 2·F, T)
        - masks: (..., F, T), broadcast against `spectrum`
        - returns: (..., 2·F, T)

    Examples:
        >>> apply_mask(torch.tensor([[3.0], [4.0]]), torch.tensor([[0.5]])).flatten()
        tensor([1.5000, 2.0000])
    """
    return spectrum * torch.cat([masks, masks], dim=-2)


def with_phase_of(magnitudes: Tensor, spectrum: Tensor) -> Tensor:
    """Gives magnitudes the phase of a spectrum (0 where that is silent).

    Shape:
        - magnitudes: (..., F, T), broadcast against `spectrum`
        - spectrum: (..., 2·F, T)
        - returns: (..., 2·F, T)

    Examples:
        >>> with_phase_of(torch.tensor([[10.0]]), torch.tensor([[3.0], [4.0]])).flatten()
        tensor([6.0000, 8.0000])
    """
    phase = torch.complex(*spectrum.chunk(2, dim=-2)).angle()
    return apply_mask(torch.cat([phase.cos(), phase.sin()], dim=-2), magnitudes)
