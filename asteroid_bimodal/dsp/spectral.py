"""Short-time Fourier transforms: Asteroid's filterbanks with torch.stft's numbers.

A complex spectrum is kept in Asteroid's layout: (..., 2·F, T), real parts, then imaginary parts.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from asteroid_filterbanks import Decoder, Encoder, TorchSTFTFB
from torch import Tensor

_LARGEST_FFT = 8192  # samples; its filters take 268 MB
_FAINTEST = 1e-4  # root mean square of magnitudes below which a spectrogram is not raised further


class FixedSTFTFB(TorchSTFTFB):
    """`TorchSTFTFB` with a periodic Hann window, whose filters stay out of the checkpoints.

    They are a fixed function of `n_fft`.

    Args:
        n_fft: length of the window and of the transform, even, at most 8192.
        hop_length: samples between windows, at most half of `n_fft`.
        sample_rate: of the audio, for information.

    Raises:
        ValueError: on an odd `n_fft`, and on a hop from which the signal could not be rebuilt.
    """

    def __init__(self, n_fft: int, hop_length: int, sample_rate: float = 16000.0) -> None:
        if not 2 <= n_fft <= _LARGEST_FFT or n_fft % 2:
            raise ValueError(f"Expected an even n_fft from 2 to {_LARGEST_FFT}, received {n_fft}.")
        if not 1 <= hop_length <= n_fft // 2:
            raise ValueError(
                f"Expected a hop_length between 1 and half of n_fft ({n_fft // 2}), received "
                f"{hop_length}."
            )
        window = np.hanning(n_fft + 1)[:-1]
        super().__init__(n_fft, n_fft, hop_length, window=window, sample_rate=sample_rate)
        for name in ("_filters", "torch_window"):
            self.register_buffer(name, getattr(self, name), persistent=False)

    @property
    def stft_args(self) -> dict:
        """Arguments of `torch.stft` and `torch.istft`, in single precision at least."""
        dtype = torch.promote_types(self.torch_window.dtype, torch.float32)
        return {
            "n_fft": self.kernel_size,
            "hop_length": self.stride,
            "window": self.torch_window.to(dtype),
            "center": True,
        }


class STFTEncoder(Encoder):
    """Asteroid's encoder of a `FixedSTFTFB`, in full precision on every device.

    On a CPU it is Asteroid's convolution, whose digits are those of the paper's release. GPUs round
    the factors of a convolution to 10 bits (TF32, on by default), which leaves three digits of a
    spectrum: there it is an FFT.

    Shape:
        - waveform: (B, 1, T)
        - returns: (B, 2·F, frames)
    """

    def forward(self, waveform: Tensor) -> Tensor:
        """Transforms a batch of waveforms."""
        args = self.filterbank.stft_args
        waveform = waveform.to(args["window"].dtype)
        if waveform.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                return super().forward(waveform)
        spectrum = torch.stft(waveform.squeeze(1), **args, pad_mode="reflect", return_complex=True)
        return torch.cat([spectrum.real, spectrum.imag], dim=-2)


class STFTDecoder(Decoder):
    """Asteroid's decoder of a `FixedSTFTFB`, computed by FFT: the inverse of `STFTEncoder`.

    Asteroid's own looks for the samples to divide by the window with a boolean index, which is
    slow, and warns about samples that are cut off afterwards.

    Shape:
        - spec: (..., 2·F, frames)
        - returns: (..., length)
    """

    def forward(self, spec: Tensor, length: int | None = None) -> Tensor:
        """Transforms spectra back."""
        args = self.filterbank.stft_args
        spectrum = torch.complex(*spec.to(args["window"].dtype).flatten(0, -3).chunk(2, dim=-2))
        if torch.compiler.is_exporting():  # `torch.istft` would fix the length for good
            wav = _overlapped(spectrum, args["window"], args["hop_length"])[..., :length]
        else:
            wav = torch.istft(spectrum, **args, length=length)
        return wav.reshape(*spec.shape[:-2], wav.shape[-1])


def _overlapped(spectrum: Tensor, window: Tensor, hop: int) -> Tensor:
    """The sum of windowed frames over that of squared windows, without the first half window."""
    size, count = len(window), spectrum.shape[-1]
    length = size + hop * (count - 1)
    window = window.unsqueeze(-1)  # (size, 1)
    frames = torch.fft.irfft(spectrum, size, dim=-2) * window
    weights = window.square().expand(1, -1, count)
    wav, weight = (F.fold(x, (1, length), (1, size), stride=hop) for x in (frames, weights))
    return (wav / weight).flatten(1)[..., size // 2 :]


def stft_pair(n_fft: int, hop_length: int, sample_rate: float) -> tuple[STFTEncoder, STFTDecoder]:
    """Returns an encoder and a decoder that share one `FixedSTFTFB`.

    Args:
        n_fft: length of the window and of the transform, even.
        hop_length: samples between windows, at most half of `n_fft`.
        sample_rate: of the audio in Hz, for information.

    Examples:
        >>> encoder, decoder = stft_pair(64, 16, 8000)
        >>> wav = torch.randn(1, 1, 100)
        >>> spectrum = encoder(wav)
        >>> spectrum.shape
        torch.Size([1, 66, 7])
        >>> torch.allclose(decoder(spectrum, length=100), wav[:, 0], atol=1e-5)
        True
    """
    filterbank = FixedSTFTFB(n_fft, hop_length, sample_rate)
    return STFTEncoder(filterbank), STFTDecoder(filterbank)


def pad_for_stft(wav: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """Appends silence to a signal (..., T) whose end could not be reflected, or not be rebuilt.

    The inverse transform divides by the overlapped squared windows. Beyond a quarter of the window
    after the last frame's centre they fade to nothing, and the division would blow a masked
    spectrum up; one more frame mends it. With a hop of a quarter of `n_fft` this never happens.

    Args:
        wav: (..., T), T >= 1.
        n_fft: length of the transform in samples.
        hop_length: samples between windows.
    """
    length = max(wav.shape[-1], n_fft // 2 + 1)
    allowed = (n_fft + 2) // 4  # samples after the last centre
    length = max(length, (length + hop_length - 1 - allowed) // hop_length * hop_length)
    return F.pad(wav, (0, length - wav.shape[-1]))


def magnitude(spectrum: Tensor) -> Tensor:
    """Returns magnitudes (..., F, T); their gradient is 0, not NaN, where the spectrum is silent.

    Args:
        spectrum: (..., 2·F, T), real parts, then imaginary parts.

    Examples:
        >>> magnitude(torch.tensor([[3.0], [4.0]]))
        tensor([[5.]])
    """
    # The gradient of a magnitude below the smallest normal number overflows.
    spectrum = F.hardshrink(spectrum, torch.finfo(spectrum.dtype).tiny)
    return torch.complex(*spectrum.chunk(2, dim=-2)).abs()


def at_level(magnitudes: Tensor, level: float) -> Tensor:
    """Scales each spectrogram to a root mean square; silence stays silent.

    Args:
        magnitudes: (..., F, T).
        level: the root mean square wanted.

    Examples:
        >>> at_level(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 5.0)
        tensor([[6., 8.],
                [0., 0.]])
    """
    power = magnitudes.square().mean((-2, -1), keepdim=True)
    return magnitudes * (level / power.clamp_min(_FAINTEST**2).sqrt())


def log_magnitude(magnitudes: Tensor) -> Tensor:
    """Returns `log(1 + magnitude)`, the input of the networks.

    Args:
        magnitudes: of any shape.
    """
    return torch.log1p(magnitudes)


def apply_mask(spectrum: Tensor, masks: Tensor) -> Tensor:
    """Multiplies a spectrum by masks: real ones keep its phase, complex ones turn it.

    Args:
        spectrum: (..., 2·F, T), real parts, then imaginary parts.
        masks: (..., F, T), broadcast against `spectrum`.

    Examples:
        >>> apply_mask(torch.tensor([[3.0], [4.0]]), torch.tensor([[0.5]])).flatten()
        tensor([1.5000, 2.0000])
        >>> apply_mask(torch.tensor([[3.0], [4.0]]), torch.tensor([[0.5j]])).flatten()
        tensor([-2.0000,  1.5000])
    """
    if masks.is_complex():
        masked = torch.complex(*spectrum.chunk(2, dim=-2)) * masks
        return torch.cat([masked.real, masked.imag], dim=-2)
    return spectrum * torch.cat([masks, masks], dim=-2)


def with_phase_of(magnitudes: Tensor, spectrum: Tensor) -> Tensor:
    """Gives magnitudes the phase of a spectrum (0 where that is silent), as (..., 2·F, T).

    Args:
        magnitudes: (..., F, T), broadcast against `spectrum`.
        spectrum: (..., 2·F, T).

    Examples:
        >>> with_phase_of(torch.tensor([[10.0]]), torch.tensor([[0.0], [4.0]])).round().flatten()
        tensor([-0., 10.])
    """
    phase = torch.complex(*spectrum.chunk(2, dim=-2)).angle()
    return apply_mask(torch.cat([phase.cos(), phase.sin()], dim=-2), magnitudes)
