"""Signal processing on tensors."""

from .chunked import QueryOverlapAdd
from .resample import resample
from .spectral import (
    FixedSTFTFB,
    STFTDecoder,
    STFTEncoder,
    apply_mask,
    at_level,
    log_magnitude,
    magnitude,
    pad_for_stft,
    stft_pair,
    with_phase_of,
)

__all__ = [
    "FixedSTFTFB",
    "QueryOverlapAdd",
    "STFTDecoder",
    "STFTEncoder",
    "resample",
    "apply_mask",
    "at_level",
    "log_magnitude",
    "magnitude",
    "pad_for_stft",
    "stft_pair",
    "with_phase_of",
]
