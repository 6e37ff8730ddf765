"""Signal processing on tensors."""

from .spectral import (
    FixedSTFTFB,
    apply_mask,
    log_magnitude,
    magnitude,
    pad_for_stft,
    stft_pair,
    with_phase_of,
)

__all__ = [
    "FixedSTFTFB",
    "apply_mask",
    "log_magnitude",
    "magnitude",
    "pad_for_stft",
    "stft_pair",
    "with_phase_of",
]
