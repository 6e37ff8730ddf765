"""CLAP as a scorer: does this audio sound like that text? Differentiable to the waveform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from ..dsp.resample import resample
from ..queries.text import ClapTextEncoder
from ..utils.clap import check_texts, load_clap
from ..utils.frozen import FrozenModule

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import ClapFeatureExtractor

_FLOOR = 1e-10  # of the mel powers: -100 dB


class ClapFeatures(nn.Module):
    """Log-mel spectrograms in decibels, equal to those of a `ClapFeatureExtractor`.

    Short clips are repeated and padded as the extractor says. Of longer ones the middle is used:
    the extractor crops (or, for fusion models, stacks crops) at random, and a score must not
    depend on chance. The Fourier transform is computed in double precision, for in single
    precision bands 130 dB below others would be noise, and gradients off by percents; all after
    it is as good in single precision, and faster.

    Args:
        extractor: whose settings to use; nothing else of it is.

    Shape:
        - wav: (M, T) at the extractor's `sampling_rate`.
        - output: (M, 1, frames, mels), or (M, 4, frames, mels) for fusion models.

    Examples:
        >>> from transformers import ClapFeatureExtractor
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
        self.mel = torch.from_numpy(bank).float()  # (bins, mels)
        self.window = torch.hann_window(self.n_fft, dtype=torch.float64)

    def forward(self, wav: Tensor) -> Tensor:
        """Returns the features of the waveforms."""
        dtype = torch.float32 if wav.device.type == "mps" else torch.float64  # mps has no double
        spectrum = torch.stft(
            self._fit(wav).to(dtype),
            self.n_fft,
            self.hop_length,
            window=self.window.to(wav.device, dtype),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )  # (M, bins, frames)
        power = torch.view_as_real(spectrum).float().square().sum(-1)
        with torch.autocast(wav.device.type, enabled=False):  # it would round the powers
            mel = power.transpose(1, 2) @ self.mel.to(wav.device)  # (M, frames, mels)
        decibels = 10 * mel.clamp(min=_FLOOR).log10()
        return decibels.unsqueeze(1).expand(-1, 4 if self.fusion else 1, -1, -1)

    def _fit(self, wav: Tensor) -> Tensor:
        """Repeats, pads or crops to the length that the model was made for."""
        length, wanted = wav.shape[-1], self.max_samples
        if length > wanted:
            start = (length - wanted) // 2
            return wav[:, start : start + wanted]
        if self.padding in ("repeat", "repeatpad") and length < wanted:
            times = wanted // length + (self.padding == "repeat")
            wav = wav.repeat(1, times)[:, :wanted]
        return pad(wav, (0, wanted - wav.shape[-1]))


class ClapScorer(FrozenModule):
    """A frozen CLAP that embeds audio and text in one space.

    The network is shared with everybody who uses the same `name`; see `FrozenModule`. So are text
    embeddings, with a `ClapTextEncoder` of that name: no text is encoded twice.

    Args:
        name: `"mini"` (shipped with the package), a folder, or a model of the Hugging Face hub
            such as `"laion/clap-htsat-unfused"`.

    Attributes:
        sample_rate: rate in hertz that the network listens at; other rates are resampled.
        logit_scale: CLAP's learned sharpness, for logits `logit_scale * audio @ text.T`.

    Raises:
        ValueError: when there is no such model.

    References:
        Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
        keyword-to-caption augmentation", ICASSP 2023.

    Examples:
        >>> scorer = ClapScorer("mini")
        >>> wav = torch.randn(2, 16000, requires_grad=True)
        >>> audio = scorer.embed_audio(wav, sample_rate=8000)
        >>> scores = audio @ scorer.embed_text(["violin", "flute", "tuba"]).T
        >>> scores.shape, scores.requires_grad
        (torch.Size([2, 3]), True)
    """

    def __init__(self, name: str | Path = "mini") -> None:
        self._clap = load_clap(name)
        super().__init__(self._clap.model)
        self.name = str(name)
        self.sample_rate = int(self._clap.feature_extractor.sampling_rate)
        self.logit_scale = float(self.network.logit_scale_a.exp())
        self._features = ClapFeatures(self._clap.feature_extractor)
        self._text = ClapTextEncoder(name)

    def embed_audio(self, wav: Tensor, sample_rate: int) -> Tensor:
        """Embeds waveforms, with gradients to them.

        Clips shorter than the model's own length are repeated, of longer ones the middle is
        heard; see `ClapFeatures`.

        Args:
            wav: M mono waveforms.
            sample_rate: their rate in hertz.

        Shape:
            - wav: (M, T)
            - returns: (M, E), L2-normalised

        Raises:
            ValueError: for another shape, no samples, or numbers that are not floats.
        """
        if wav.ndim != 2 or wav.shape[-1] == 0 or not wav.is_floating_point():
            raise ValueError(
                f"Expected float waveforms of shape (clips, samples), received {wav.dtype} of "
                f"shape {tuple(wav.shape)}. Average the channels and stack the clips."
            )
        features = self._features(resample(wav.float(), sample_rate, self.sample_rate))
        is_longer = torch.zeros(len(wav), 1, dtype=torch.bool, device=wav.device)
        embedding = self.network.get_audio_features(features, is_longer=is_longer).pooler_output
        return normalize(embedding.float(), dim=-1)

    @torch.no_grad()
    def embed_text(self, texts: list[str]) -> Tensor:
        """Embeds texts, as a `ClapTextEncoder` does.

        Args:
            texts: M texts.

        Shape:
            - returns: (M, E), L2-normalised

        Raises:
            ValueError: for a query that is empty or not text.
        """
        return self._text([check_texts(texts)]).pooled[0]
