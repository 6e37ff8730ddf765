"""FiLM, and an adapter that puts it into a stock Asteroid masker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class FiLM(nn.Module):
    r"""Feature-wise linear modulation: a condition scales and shifts every channel.

    .. math:: \mathrm{FiLM}(x, c) = (1 + \gamma(c))\,x + \beta(c)

    with linear :math:`\gamma` and :math:`\beta` that begin at zero: an untrained FiLM changes
    nothing.

    Args:
        cond_dim: E, size of a condition.
        channels: C, channels of what is modulated.

    Shape:
        - x: (N, C, ...)
        - cond: (N, E)
        - returns: (N, C, ...)

    Raises:
        ValueError: for other shapes.

    References:
        Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018.

    Examples:
        >>> import torch
        >>> film = FiLM(cond_dim=5, channels=3)
        >>> x, cond = torch.randn(2, 3, 8), torch.randn(2, 5)
        >>> torch.equal(film(x, cond), x)
        True
    """

    def __init__(self, cond_dim: int, channels: int) -> None:
        super().__init__()
        self.scale_shift = nn.Linear(cond_dim, 2 * channels)
        nn.init.zeros_(self.scale_shift.weight)
        nn.init.zeros_(self.scale_shift.bias)

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """Modulates; see the class for shapes."""
        linear = self.scale_shift
        channels, expected = linear.out_features // 2, (len(x), linear.in_features)
        if x.ndim < 2 or x.shape[1] != channels or tuple(cond.shape) != expected:
            raise ValueError(
                f"Expected features (N, {channels}, ...) and one condition of size "
                f"{linear.in_features} for each of the N, received {tuple(x.shape)} and "
                f"{tuple(cond.shape)}."
            )
        scale, shift = linear(cond).unflatten(1, (2, channels, *[1] * (x.ndim - 2))).unbind(1)
        return x * (1 + scale) + shift


class FiLMAdapter(nn.Module):
    """A masker that listens to conditions: FiLM on the input of each of its blocks.

    The masker itself stays as it is: its code, its weights and, while the FiLMs are untrained, its
    masks. So a pretrained one can be adapted, and `adapter.masker` is it again. The blocks are
    modulated by hooks that live as long as one forward pass, so nothing of them is ever saved;
    adapters of one masker cannot run in two threads at once.

    Args:
        masker: a masker of one input, such as Asteroid's `TDConvNet`.
        cond_dim: E, size of a condition.
        blocks: attribute of the masker that holds its blocks, a `ModuleList` or `Sequential`:
            `"TCN"` in `TDConvNet`, `"net"` in `DPRNN`, `"sm"` in `SuDORMRF`. A block's
            input is (N, C, ...), N the masker's batch.
        channels: C; by default the masker's `bn_chan`.

    Shape:
        - tf_rep: (B, F, T)
        - cond: (B, Q, E), Q conditions for each of B mixtures
        - returns: masks (B, Q·S, F, T) of a masker with S outputs, the S of a condition together

    Raises:
        ValueError: for other shapes, and for a masker without such blocks.

    Examples:
        >>> import torch
        >>> from asteroid.masknn import DPRNN, TDConvNet
        >>> masker = TDConvNet(in_chan=16, n_src=1, bn_chan=8, hid_chan=8, skip_chan=8, n_blocks=2)
        >>> adapter = FiLMAdapter(masker, cond_dim=5)
        >>> adapter(torch.randn(2, 16, 30), torch.randn(2, 4, 5)).shape
        torch.Size([2, 4, 16, 30])
        >>> masker = DPRNN(in_chan=16, n_src=2, bn_chan=8, hid_size=8, chunk_size=10, n_repeats=2)
        >>> adapter = FiLMAdapter(masker, cond_dim=5, blocks="net")
        >>> adapter(torch.randn(2, 16, 30), torch.randn(2, 4, 5)).shape
        torch.Size([2, 8, 16, 30])
    """

    def __init__(
        self, masker: nn.Module, cond_dim: int, *, blocks: str = "TCN", channels: int | None = None
    ) -> None:
        super().__init__()
        found = getattr(masker, blocks, None)
        if not isinstance(found, nn.ModuleList | nn.Sequential) or len(found) == 0:
            lists = [
                name
                for name, child in masker.named_children()
                if isinstance(child, nn.ModuleList | nn.Sequential)
            ]
            raise ValueError(
                f"blocks: expected the name of a list of blocks in {type(masker).__name__} "
                f"({', '.join(lists) or 'it has none'}), received {blocks!r}."
            )
        if channels is None and not hasattr(masker, "bn_chan"):
            raise ValueError(
                f"channels: expected the channels of a block's input, as {type(masker).__name__} "
                "has no bn_chan; received None."
            )
        self.masker, self.blocks = masker, blocks
        channels = int(masker.bn_chan) if channels is None else channels  # type: ignore[arg-type]
        self.films = nn.ModuleList(FiLM(cond_dim, channels) for _ in found)

    def forward(self, tf_rep: Tensor, cond: Tensor) -> Tensor:
        """Finds the masks of all conditions in one pass; see the class for shapes."""
        if tf_rep.ndim < 2 or cond.ndim != 3 or len(tf_rep) != len(cond) or 0 in cond.shape:
            raise ValueError(
                f"Expected conditions (B, Q, E) for representations (B, ...), received "
                f"{tuple(cond.shape)} for {tuple(tf_rep.shape)}."
            )
        with self._modulated(cond.flatten(0, 1)):
            masks = self.masker(tf_rep.repeat_interleave(cond.shape[1], dim=0))  # (B·Q, S, F, T)
        return masks.unflatten(0, cond.shape[:2]).flatten(1, 2)

    @contextmanager
    def _modulated(self, cond: Tensor) -> Iterator[None]:
        """While it lasts, every block hears its input modulated by `cond`, (N, E)."""
        blocks = getattr(self.masker, self.blocks)
        handles = [
            block.register_forward_pre_hook(
                lambda _, inputs, film=film: (film(inputs[0], cond), *inputs[1:])
            )
            for block, film in zip(blocks, self.films, strict=True)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def get_config(self) -> dict[str, Any]:
        """Returns the masker's own arguments; a model adds those of its adapter."""
        return self.masker.get_config()  # type: ignore[operator]
