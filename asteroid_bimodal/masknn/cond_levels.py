"""What conditional U-Nets share: arguments, checks, and the way down, where the query comes in.

Letters in shapes: G feature maps before and N after the query is known, C channels, H and W.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import (
    ConcatenationBlock,
    CrossAttentionBlock,
    HalvingConv,
    QueryProduct,
    ResidualBlock,
    SelfAttentionBlock,
    SelfCrossAttentionBlock,
)
from .checks import MOST_LAYERS, check_at_least, check_spectrogram

if TYPE_CHECKING:
    from asteroid_bimodal.queries.base import QueryEmbedding

COND_LAYERS = ("sca", "ca", "sa", "cat", "identity")
NUM_OUTER_LEVELS = 4  # they never see the query
_MAX_WIDTH = 8  # channels, in multiples of ngf


class ConditionalUNet(nn.Module):
    """Base of the U-Nets: an input norm, levels of `level_class`, a head; see `CondUNet`."""

    level_class: type[DownLevel]

    def __init__(
        self,
        out_dim: int = 32,
        cond_dim: int = 768,
        pooled_dim: int = 512,
        num_downs: int = 7,
        ngf: int = 64,
        num_res_layers: int = 1,
        num_cond_blocks: int = 1,
        num_heads: int = 8,
        cond_layer: str = "sca",
        mask_padding: bool = True,
        head_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self._config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        check_config(self._config)
        self.mask_padding = mask_padding
        self.input_norm = nn.BatchNorm2d(1)
        self.levels, width = nn.ModuleList(), 1
        for index in range(num_downs):
            self.levels.append(level := self.level_class(width, index, self._config))
            width = level.channels
        self.head = QueryProduct(pooled_dim, out_dim, head_scale)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that build this network again."""
        return dict(self._config)

    def _flat_query(self, log_mag: Tensor, query: QueryEmbedding) -> tuple[Tensor, Any, Tensor]:
        """Checks the inputs; tokens (B·Q, L, D), their mask (B·Q, L) or None, pooled (B·Q, E)."""
        check_query(log_mag, query, self._config)
        mask = query.mask.flatten(0, 1) if self.mask_padding else None
        return query.tokens.flatten(0, 1), mask, query.pooled.flatten(0, 1)

    def _normed(self, log_mag: Tensor) -> Tensor:
        """The input of the outermost level, padded so that every level can halve it."""
        return self.input_norm(pad_to_multiple(log_mag, 2 ** len(self.levels)))


class DownLevel(nn.Module):
    """A level on the way down: convolution 4×4, BatchNorm, LeakyReLU, residual block, query.

    Args:
        in_channels: of what it halves.
        index: of the level; from the fifth on the query comes in.
        config: arguments of the network, see `CondUNet`.
    """

    def __init__(self, in_channels: int, index: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        channels = config["ngf"] * min(2**index, _MAX_WIDTH)
        self.channels = channels
        # First: their numbers have always been drawn before those of the convolutions.
        conditions = [
            _conditioning(channels, config)
            for _ in range(config["num_cond_blocks"] if index >= NUM_OUTER_LEVELS else 0)
        ]
        self.down_conv = HalvingConv(in_channels, channels)
        self.down_norm = nn.BatchNorm2d(channels)
        self.down_res = ResidualBlock(channels, config["num_res_layers"])
        self.conditions = nn.ModuleList(conditions)

    def down(self, x: Tensor, tokens: Tensor, mask: Tensor | None, pooled: Tensor) -> Tensor:
        """Halves the size of (G, C_in, 2·H, 2·W); (N, C, H, W) from where the query comes in."""
        x = self.down_res(F.leaky_relu_(self.down_norm(self.down_conv(x)), 0.2))
        if not len(self.conditions):
            return x
        size = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)  # (G, H·W, C)
        for block in self.conditions:
            x = block(x, tokens, mask, pooled)
        return x.transpose(1, 2).unflatten(2, size)  # (N, C, H, W)


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Appends zeros to the last two axes until both are multiples of `multiple`."""
    # torch.export cannot tell the range of -size % multiple.
    below, right = ((multiple - size % multiple) % multiple for size in x.shape[-2:])
    return F.pad(x, (0, right, 0, below))


def double(x: Tensor) -> Tensor:
    """Doubles height and width, (N, C, H, W) to (N, C, 2·H, 2·W), bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def check_query(log_mag: Tensor, query: QueryEmbedding, config: Mapping[str, Any]) -> None:
    """Raises `ValueError` for inputs of another shape than the network's."""
    check_spectrogram(log_mag)
    received = (query.tokens.shape[-1], query.pooled.shape[-1])
    expected = (config["cond_dim"], config["pooled_dim"])
    if received != expected:
        raise ValueError(
            f"Expected queries with tokens of size {expected[0]} and pooled size "
            f"{expected[1]}, received {received[0]} and {received[1]}: use the query encoder "
            "that the network was built for, or its cond_dim and pooled_dim to build it."
        )
    rows = (query.tokens.shape[:2], query.mask.shape[:2], query.pooled.shape[:2])
    if any(shape != (log_mag.shape[0], rows[0][1]) for shape in rows) or rows[0][1] == 0:
        raise ValueError(
            f"Expected one or more queries for each of {len(log_mag)} mixtures, received query "
            f"tokens, mask and pooled queries for {', '.join(str(tuple(s)) for s in rows)} "
            "mixtures and queries."
        )


def check_config(config: Mapping[str, Any]) -> None:
    """Raises `ValueError` for arguments that no network has."""
    if config["cond_layer"] not in COND_LAYERS:
        raise ValueError(
            f"Expected cond_layer to be one of {', '.join(COND_LAYERS)}, "
            f"received {config['cond_layer']!r}."
        )
    if config["num_downs"] <= NUM_OUTER_LEVELS:
        raise ValueError(
            f"Expected num_downs of {NUM_OUTER_LEVELS + 1} or more (the first {NUM_OUTER_LEVELS} "
            f"levels do not see the query), received {config['num_downs']}."
        )
    check_at_least(config, 1, "out_dim", "cond_dim", "pooled_dim", "ngf")
    layers = "num_downs", "num_res_layers", "num_cond_blocks"
    check_at_least(config, 1, *layers, most=MOST_LAYERS)
    width = config["ngf"] * _MAX_WIDTH
    attends = config["cond_layer"] in ("sca", "ca", "sa")
    if attends and (config["num_heads"] < 1 or width % config["num_heads"]):
        raise ValueError(
            f"Expected num_heads to divide the {width} channels of the inner levels (8 · ngf), "
            f"received {config['num_heads']}."
        )


def _conditioning(dim: int, config: Mapping[str, Any]) -> nn.Module:
    name, num_heads = config["cond_layer"], config["num_heads"]
    if name == "sca":
        return SelfCrossAttentionBlock(dim, config["cond_dim"], num_heads)
    if name == "ca":
        return CrossAttentionBlock(dim, config["cond_dim"], num_heads)
    if name == "sa":
        return SelfAttentionBlock(dim, num_heads)
    if name == "cat":
        return ConcatenationBlock(dim, config["pooled_dim"])
    return _Identity()


class _Identity(nn.Module):
    def forward(self, x: Tensor, *_query: Tensor | None) -> Tensor:
        return x
