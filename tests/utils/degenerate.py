"""Numbers that break careless code, for tests that draw their sizes and precisions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FILLS = ("noise", "zeros", "ones", "equal", "binary", "subnormal", "large")
dtypes, fills = st.sampled_from(DTYPES), st.sampled_from(FILLS)


@dataclass
class Numbers:
    """Draws tensors of one kind of content: signals around zero, magnitudes, masks."""

    fill: str
    dtype: torch.dtype
    generator: torch.Generator

    def signals(self, *shape):
        """Of (batch, n_src, ...) or (n_src, time); `equal` repeats the first source."""
        values = 2 * torch.rand(shape, generator=self.generator, dtype=torch.float64) - 1
        match self.fill:
            case "zeros" | "ones":
                values = values.new_full(shape, self.fill == "ones")
            case "equal":
                values = values.narrow(min(1, len(shape) - 2), 0, 1).expand(shape)
            case "binary":
                values = values.sign()
            case "subnormal":
                values = values * torch.finfo(self.dtype).tiny
            case "large":
                values = 1e4 * values
        return values.to(self.dtype).contiguous()

    def magnitudes(self, *shape):
        return self.signals(*shape).abs()

    def masks(self, *shape):
        """From 0 to 1; `binary` has both ends."""
        if self.fill == "binary":
            return self.signals(*shape).clamp(min=0)
        return self.magnitudes(*shape).clamp(max=1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)
