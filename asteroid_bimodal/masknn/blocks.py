"""The parts that the conditional U-Net is made of.

Letters in shapes: G feature maps before and N after the query is known (N is a multiple of G, N / G
queries share each of the G maps), C channels, H and W height and width, L tokens, D token size.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def repeat_for_queries(x: Tensor, count: int) -> Tensor:
    """Repeats each of G items so that `count` come out, all queries of an item side by side."""
    # Not len(x), here and below: to an int of its own torch.export would bind what it exports.
    groups = x.shape[0]
    if groups == count:
        return x
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):  # and stays so
        return x.movedim(1, -1).repeat_interleave(count // groups, dim=0).movedim(-1, 1)
    return x.repeat_interleave(count // groups, dim=0)


def split_conv(conv: nn.Conv2d, shared: Tensor, own: Tensor) -> Tensor:
    """Applies `conv` to (G, C1, H, W) joined with (N, C2, H, W); the first is computed once."""
    channels = shared.shape[1]
    common = F.conv2d(shared, conv.weight[:, :channels], conv.bias, padding=conv.padding)
    single = F.conv2d(own, conv.weight[:, channels:], padding=conv.padding)
    groups = common.shape[0]
    if groups == single.shape[0]:
        return common + single
    return (single.unflatten(0, (groups, -1)) + common.unsqueeze(1)).flatten(0, 1)


class HalvingConv(nn.Conv2d):
    """Convolution 4×4 of stride 2 without bias: (N, C_in, 2·H, 2·W) to (N, C, H, W)."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, 4, stride=2, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 3 or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        # In bfloat16 on AMX, oneDNN 3.12 (of PyTorch 2.14) leaves a single column of outputs unset.
        return super().forward(F.pad(x, (0, 2)))[..., :1]


class ResidualBlock(nn.Module):
    """(Convolution 3×3, BatchNorm) with LeakyReLU between them, plus the input, then LeakyReLU."""

    def __init__(self, channels: int, num_layers: int = 1) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(num_layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(num_layers))

    def forward(self, x: Tensor) -> Tensor:
        return self._finish(x, self.convs[0](x))

    def forward_joined(self, shared: Tensor, own: Tensor) -> Tensor:
        """Applies the block to shared maps (G, C1, H, W) joined with own ones (N, C2, H, W)."""
        joined = torch.cat([repeat_for_queries(shared, own.shape[0]), own], dim=1)
        return self._finish(joined, self.first_joined(shared, own))

    def first_joined(self, shared: Tensor, own: Tensor) -> Tensor:
        """Applies the first convolution alone to what `forward_joined` is given."""
        return split_conv(cast(nn.Conv2d, self.convs[0]), shared, own)

    def after_first(self, x: Tensor) -> Tensor:
        """Applies what follows the first convolution, but for the sum with the input."""
        x = self.norms[0](x)
        for conv, norm in zip(self.convs[1:], self.norms[1:], strict=True):
            x = norm(conv(F.leaky_relu_(x, 0.2)))
        return x

    def _finish(self, residual: Tensor, x: Tensor) -> Tensor:
        return F.leaky_relu_(self.after_first(x).add_(residual), 0.2)


class Attention(nn.Module):
    """Multi-head attention of positions to themselves (no `context_dim`) or to a query's tokens."""

    def __init__(self, dim: int, context_dim: int | None = None, num_heads: int = 8) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim if context_dim is None else context_dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attends from `x` (N, H·W, C) to `context` (N, L, D), to nothing where no token is."""
        # `mask` (N, L) is true for a real token, None if all are.
        query = self._split_heads(self.q(x))
        key, value = (self._split_heads(part) for part in self.kv(context).chunk(2, dim=-1))
        if mask is None:
            attended = F.scaled_dot_product_attention(query, key, value)
        else:
            present = mask.any(dim=-1)[:, None, None, None]
            # Softmax over no token at all is NaN: attend to anything there, then drop the answer.
            allowed = mask[:, None, None, :] | ~present
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
            attended = attended * present
        return self.proj(attended.transpose(1, 2).flatten(2))

    def _split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (N, heads, L, C / heads)


class Mlp(nn.Sequential):
    """Two linear layers with GELU between them."""

    def __init__(self, dim: int, ratio: int = 2) -> None:
        super().__init__(nn.Linear(dim, ratio * dim), nn.GELU(), nn.Linear(ratio * dim, dim))


class SelfAttentionBlock(nn.Module):
    """Pre-norm transformer block over the positions (G, H·W, C) of a feature map; `sa`."""

    def __init__(self, dim: int, num_heads: int = 8) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = Attention(dim, num_heads=num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, *_query: Tensor | None) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attention(normed, normed)
        return x + self.mlp(self.norm2(x))


class CrossAttentionBlock(nn.Module):
    """Pre-norm transformer block whose keys and values are the tokens of the query; `ca`."""

    def __init__(self, dim: int, cond_dim: int, num_heads: int = 8) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = Attention(dim, cond_dim, num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor | None, *_pooled: Tensor) -> Tensor:
        x = repeat_for_queries(x, tokens.shape[0])
        x = x + self.attention(self.norm1(x), tokens, mask)
        return x + self.mlp(self.norm2(x))


class SelfCrossAttentionBlock(nn.Module):
    """Self-attention, then cross-attention; `sca`, the paper's choice."""

    def __init__(self, dim: int, cond_dim: int, num_heads: int = 8) -> None:
        super().__init__()
        self.self_attention = SelfAttentionBlock(dim, num_heads)
        self.cross_attention = CrossAttentionBlock(dim, cond_dim, num_heads)

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor | None, *_pooled: Tensor) -> Tensor:
        return self.cross_attention(self.self_attention(x), tokens, mask)


class ConcatenationBlock(nn.Module):
    """The pooled query beside every position, brought back to C channels; `cat`."""

    def __init__(self, dim: int, pooled_dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim + pooled_dim, dim)

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor | None, pooled: Tensor) -> Tensor:
        x = repeat_for_queries(x, pooled.shape[0])
        return self.proj(torch.cat([x, pooled[:, None].expand(-1, x.shape[1], -1)], dim=-1))


class QueryProduct(nn.Module):
    """The head: feature maps weighted by the query become the logits of one mask.

    With `v = sigmoid(linear(pooled))`, these are `Σ_c scale_c · v_c · feature_c + bias`, where the
    features are made by the last convolution of the U-Net. Both are linear: its kernels are
    weighted by the query *before* they are applied, and one map is made instead of `out_dim`.
    """

    def __init__(self, pooled_dim: int, out_dim: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weights = nn.Linear(pooled_dim, out_dim)
        # Pooled queries have length 1: PyTorch's own start would weight every map by about one
        # half, whatever the query. Here queries pick different maps from the first step.
        nn.init.normal_(self.weights.weight, std=3.0)
        self.scale = nn.Parameter(torch.full((out_dim,), float(scale)))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, conv: nn.Conv2d, x: Tensor, pooled: Tensor) -> Tensor:
        """Returns the logits (N, H, W); `x` (G, C, H, W) is the convolution's input."""
        return self.weigh(conv, x, self.weights(pooled))

    def weigh(self, conv: nn.Conv2d, x: Tensor, features: Tensor) -> Tensor:
        """Does the same with what `weights` makes of queries, (N, out_dim)."""
        mix = self.scale * torch.sigmoid(features)  # (N, out_dim)
        # `fold` adds up what each position sends to its neighbours: the kernel seen from there.
        kernels = torch.einsum("no,ocij->nijc", mix, conv.weight.flip(2, 3))  # (N, 3, 3, C)
        kernels = kernels.reshape(x.shape[0], -1, x.shape[1])  # (G, N / G · 9, C)
        # In this order the gradient of `x` has its layout, channels last.
        parts = torch.bmm(x.flatten(2).mT, kernels.mT).mT  # (G, N / G · 9, H·W)
        parts = parts.reshape(mix.shape[0], -1, parts.shape[-1])  # (N, 9, H·W)
        logits = F.fold(parts, x.shape[-2:], kernel_size=3, padding=1).squeeze(1)
        return logits + (mix @ cast(Tensor, conv.bias) + self.bias)[:, None, None]  # (N, H, W)
