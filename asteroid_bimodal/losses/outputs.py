"""What a separator made of a batch, and what it should have made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

_MAGNITUDES = ("total", "mixtures", "captions", "phrases", "outputs", "absent")


@dataclass(frozen=True)
class SeparatorOutputs:
    """Estimates and targets of a batch; what no term of the loss needs is None.

    B examples, N mixtures, P phrases per mixture, S outputs, A absent sounds, F frequencies,
    T frames.

    Attributes:
        total: (B, F, T), magnitude of the mixture of mixtures.
        mixtures: (B, N, F, T), magnitudes of the natural mixtures.
        captions: (B, N, F, T), estimates queried by caption.
        phrases: (B, N, P, F, T), estimates queried by phrase.
        phrase_wavs: (B, N * P, samples), the same as waveforms.
        phrase_texts: B lists of N * P phrases.
        caption_texts: B lists of N captions.
        phrase_weights: (B, N, P), 1 / (times a phrase is repeated).
        phrase_labels: (B, N * P), classes of the phrases.
        outputs: (B, S, F, T), estimates of a separator without queries.
        absent: (B, A, F, T), estimates queried by absent sounds.
        caption_masks: (B, N, F, T), of `captions`, between 0 and 1.
        phrase_masks: (B, N, P, F, T), of `phrases`.
        noise_masks: (B, N, F, T), of a separator's noise heads.
    """

    total: Tensor
    mixtures: Tensor
    captions: Tensor | None = None
    phrases: Tensor | None = None
    phrase_wavs: Tensor | None = None
    phrase_texts: list[list[str]] | None = None
    caption_texts: list[list[str]] | None = None
    phrase_weights: Tensor | None = None
    phrase_labels: Tensor | None = None
    outputs: Tensor | None = None
    absent: Tensor | None = None
    caption_masks: Tensor | None = None
    phrase_masks: Tensor | None = None
    noise_masks: Tensor | None = None

    def normalised(self) -> SeparatorOutputs:
        """Divides magnitudes by the mean magnitude of their example, so that level drops out."""
        scale = self.total.mean(dim=(1, 2)).clamp_min(1e-5)  # (B,)
        found = {name: getattr(self, name) for name in _MAGNITUDES}
        scaled = {
            name: value / scale.view(-1, *[1] * (value.ndim - 1))
            for name, value in found.items()
            if value is not None
        }
        return replace(self, **scaled)
