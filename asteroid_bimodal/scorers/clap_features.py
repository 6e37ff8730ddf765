"""CLAP's input from a waveform, in torch: what `ClapFeatureExtractor` computes, with gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import ClapFeatureExtractor

_FLOOR = 1e-10  # of the mel powers: -100 dB


class ClapFeatures(nn.Module):
    """Log-mel spectrograms in decibels, equal to those of a `ClapFeatureExtractor`.

    Short clips are repeated and padded as the extractor says. Of longer ones the middle is used:
    the extractor crops (or, for fusion models, stacks crops) at random, and a score must not
    depend on chance. Computed in double precision, for in single precision weak bands beside
    strong ones would be off by decibels.

    Args:
        extractor: whose settings to use; nothing else of it is.

    Shape:
        - wav: (M, T) at the extractor's `sampling_rate`.
        - output: (M, 1, frames, mels), or (M, 4, frames, mels) for fusion models.

    Examples:
        >>> features = ClapFeatures(ClapFeatureExtractor(truncation="rand_trunc"))
        >>> features(torch.randn(1, 48000)).shape
        torch.Size([1, 1, 1001, 64])
    """

    @torch.inference_mode(False)
    def __init__(self, extractor: ClapFeatureExtractor) -> None:
        super().__init__()
        self.n_fft = extractor.fft_window_size
        self.hop_length = extractor.hop_length
        self.max_samples = int(extractor.nb_max_samples)
        self.padding = extractor.padding
        self.fusion = extractor.truncation == "fusion"
        bank = extractor.mel_filters if self.fusion else extractor.mel_filters_slaney
        self.mel = torch.from_numpy(bank).double()  # (bins, mels)
        self.window = torch.hann_window(self.n_fft, dtype=torch.float64)

    def forward(self, wav: Tensor) -> Tensor:
        """Returns the features of the waveforms."""
        dtype = torch.float32 if wav.device.type == "mps" else torch.float64  # mps has no double
        constants = {"device": wav.device, "dtype": dtype}
        spectrum = torch.stft(
            self._fit(wav).to(dtype),
            self.n_fft,
            self.hop_length,
            window=self.window.to(**constants),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )  # (M, bins, frames)
        power = torch.view_as_real(spectrum).square().sum(-1)
        mel = power.transpose(1, 2) @ self.mel.to(**constants)  # (M, frames, mels)
        decibels = 10 * mel.clamp(min=_FLOOR).log10()
        return decibels.float().unsqueeze(1).expand(-1, 4 if self.fusion else 1, -1, -1)

    def _fit(self, wav: Tensor) -> Tensor:
        """Repeats, pads or crops to the length that the model was made for."""
        length, wanted = wav.shape[-1], self.max_samples
        if length > wanted:
            start = (length - wanted) // 2
            return wav[:, start : start + wanted]
        if self.padding in ("repeat", "repeatpad") and length < wanted:
            times = wanted // length + (self.padding == "repeat")
            wav = wav.repeat(1, times)[:, :wanted]
        return F.pad(wav, (0, wanted - wav.shape[-1]))
