"""What floating-point audio may hold."""

from __future__ import annotations

import math

from torch import Tensor

# 60 dB above full scale: more than recordings with headroom reach, less than nearly every 16-bit
# recording that somebody forgot to divide. Far below where the squares of a spectrum overflow.
LOUDEST = 1000.0


def fault_of(wav: Tensor) -> str | None:
    """Tells what makes samples, at least one, no audio; None where nothing does.

    Examples:
        >>> import torch
        >>> fault_of(torch.tensor([0.5, -10.0]))
        >>> fault_of(torch.tensor([0.5, -30000.0]))
        'a sample of 3e+04; audio lies between -1 and 1: divide 16-bit integers by 32768'
    """
    low, high = (float(extreme) for extreme in wav.detach().aminmax())  # NaN if there is one
    peak = max(-low, high)
    if not math.isfinite(peak):
        return "NaN or infinite samples"
    if peak <= LOUDEST:
        return None
    return f"a sample of {peak:.3g}; audio lies between -1 and 1: divide 16-bit integers by 32768"
