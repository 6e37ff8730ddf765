"""The paper's conditional U-Net: what does not depend on the query runs once per mixture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import ResidualBlock, repeat_for_queries
from .cond_levels import ConditionalUNet, DownLevel, double
from .recompute import recompute, unchanged_buffers

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding


class Level(DownLevel):
    """One level of the U-Net, down and up; the outermost, the first, has `out_dim` channels."""

    def __init__(self, in_channels: int, index: int, config: Mapping[str, Any]) -> None:
        super().__init__(in_channels, index, config)
        outermost, innermost = index == 0, index == config["num_downs"] - 1
        joined = self.channels if innermost else 2 * self.channels
        self.up_res = ResidualBlock(joined, config["num_res_layers"])
        self.up_conv = nn.Conv2d(
            joined, config["out_dim"] if outermost else in_channels, 3, padding=1, bias=outermost
        )
        self.up_norm = None if outermost else nn.BatchNorm2d(in_channels)

    def up(self, skip: Tensor, below: Tensor | None) -> Tensor:
        """Doubles the size, (G, C, H, W) and (N, C, H, W) to (N, C_in, 2·H, 2·W), unactivated."""
        # The outermost level leaves its convolution to the head, the innermost has no level below.
        if below is None:
            x = self.up_res(double(skip))
        else:
            x = self.up_res.forward_joined(double(skip), double(below))
        return x if self.up_norm is None else self.up_conv(x)

    def activate(self, x: Tensor) -> Tensor:
        """Ends the way up: BatchNorm and ReLU on what `up` gave."""
        # By the next level: when that is computed again, this level's last convolution is not.
        return F.relu_(cast(nn.BatchNorm2d, self.up_norm)(x))


class CondUNet(ConditionalUNet):
    """U-Net over a log-magnitude spectrogram that masks what the query names.

    On the way down every level halves height and width: convolution 4×4, BatchNorm, LeakyReLU,
    residual block; from the fifth level on, conditioning blocks then let the query in. On the way
    up each level doubles the size (bilinear), and runs a residual block on its skip and what comes
    from below, and a convolution 3×3. The head weights the last maps by the pooled query.

    Args:
        out_dim: number of feature maps that the head weights.
        cond_dim: size D of the query's tokens.
        pooled_dim: size E of the pooled query.
        num_downs: number of levels, 5 or more.
        ngf: channels of the outermost level; the deeper ones have 2, 4, 8, 8, ... times as many.
        num_res_layers: convolutions in a residual block.
        num_cond_blocks: conditioning blocks in each level that has them.
        num_heads: attention heads.
        cond_layer: how the query comes in: `sca` (self-attention, then cross-attention), `ca`,
            `sa`, `cat` (the pooled query beside every position) or `identity` (in the head alone).
        mask_padding: whether padded tokens are kept out of the attention. False is what the paper's
            release does.
        head_scale: what the head's scales start from. All maps move a logit together: from 1,
            early steps of a high learning rate throw masks to 0 and 1, where gradients vanish.

    Attributes:
        checkpoint_activations: whether training keeps what goes into a level instead of what
            happens in it, which runs again in the backward pass; False at first. The gradients are
            the same, the memory is about half, the time a little more.

    Shape:
        - log_mag: (B, 1, F, T), any F and T
        - query: `QueryEmbedding` of tokens (B, Q, L, D), mask (B, Q, L), pooled (B, Q, E)
        - returns: masks (B, Q, F, T) between 0 and 1

    Raises:
        ValueError: On a value that no such network has, and on inputs of another shape.

    References:
        Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic similarity",
        ICLR 2024.

    Examples:
        >>> from types import SimpleNamespace
        >>> query = SimpleNamespace(
        ...     tokens=torch.randn(2, 3, 6, 12),
        ...     mask=torch.ones(2, 3, 6, dtype=torch.bool),
        ...     pooled=torch.randn(2, 3, 10),
        ... )
        >>> masker = CondUNet(cond_dim=12, pooled_dim=10, num_downs=5, ngf=2, num_heads=2)
        >>> masker(torch.rand(2, 1, 64, 48), query).shape
        torch.Size([2, 3, 64, 48])
    """

    level_class = Level
    checkpoint_activations = False

    def forward(self, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns the masks of all queries; see the class for shapes."""
        skip, below, pooled = self._decode(log_mag, query)
        if self._recomputes():
            logits = self._recomputed_logits(skip, below, pooled)  # (B·Q, F, T)
        else:
            logits = self.head(self._last_conv(), self._up(0, skip, below), pooled)
        masks = torch.sigmoid(logits)[..., : log_mag.shape[-2], : log_mag.shape[-1]]
        return masks.unflatten(0, query.pooled.shape[:2])  # (B, Q, F, T)

    def features(self, log_mag: Tensor, query: QueryEmbedding) -> Tensor:
        """Returns the feature maps that the head weights, (B, Q, out_dim, F, T).

        `forward` never builds them; they are for inspection.
        """
        skip, below, pooled = self._decode(log_mag, query)
        maps = self._last_conv()(self._up(0, skip, below))
        maps = repeat_for_queries(maps, pooled.shape[0])
        maps = maps[..., : log_mag.shape[-2], : log_mag.shape[-1]]
        return maps.unflatten(0, query.pooled.shape[:2])  # (B, Q, out_dim, F, T)

    def _decode(self, log_mag: Tensor, query: QueryEmbedding) -> tuple[Tensor, Tensor, Tensor]:
        """Runs all but the way up of the outermost level, and returns what that is given.

        Its own skip (G, C, H, W), what comes from below (N, C, H, W), and the pooled queries
        (N, E). Item b·Q + q of N is query q of mixture b.
        """
        flat, x = self._flat_query(log_mag, query), self._normed(log_mag)
        skips, recomputes = [], self._recomputes()
        for level in self._levels():
            down = partial(recompute, [level], level.down) if recomputes else level.down
            x = down(x, *flat)
            skips.append(x)
        below = None
        for index in reversed(range(1, len(skips))):
            up = partial(self._up, index)
            up = partial(recompute, self._levels()[index : index + 2], up) if recomputes else up
            below = up(skips.pop(), below)
        return skips.pop(), cast(Tensor, below), flat[-1]

    def _up(self, index: int, skip: Tensor, below: Tensor | None) -> Tensor:
        levels = self._levels()
        return levels[index].up(skip, None if below is None else levels[index + 1].activate(below))

    def _recomputes(self) -> bool:
        return self.checkpoint_activations and torch.is_grad_enabled()

    def _recomputed_logits(self, skip: Tensor, below: Tensor, pooled: Tensor) -> Tensor:
        # Most memory is here: only what BatchNorm needs is ever there for all queries at once.
        outer, inner = self._levels()[:2]

        def first(skip: Tensor, below: Tensor) -> Tensor:
            return outer.up_res.first_joined(double(skip), double(inner.activate(below)))

        def rest(x: Tensor, skip: Tensor, below: Tensor, pooled: Tensor) -> Tensor:
            with unchanged_buffers([inner]):  # `first` has counted the batch
                own = inner.activate(below).split(1)
            normed = outer.up_res.after_first(x).split(1)
            shared, logits = skip.split(1), []
            for index, one in enumerate(normed):
                parts = shared[index * len(shared) // len(normed)], own[index]
                joined = torch.cat([double(part) for part in parts], dim=1).add_(one)
                query = pooled[index : index + 1]
                logits.append(self.head(outer.up_conv, F.leaky_relu_(joined, 0.2), query))
            return torch.cat(logits)

        x = recompute([outer.up_res, inner], first, skip, below)
        return recompute([outer.up_res, inner], rest, x, skip, below, pooled)

    def _levels(self) -> list[Level]:
        return cast("list[Level]", list(self.levels))

    def _last_conv(self) -> nn.Conv2d:
        return cast(Level, self.levels[0]).up_conv
