"""The paper's separator: the conditional U-Net between an STFT and its inverse."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from torch import nn

from ..masknn.cond_unet import CondUNet
from .official import load_official
from .queried import QueriedSeparator

if TYPE_CHECKING:
    from ..queries import EncoderSpec, QueryEncoder


class BiModalUNet(QueriedSeparator):
    """Separates what words name, with masks of a `CondUNet`; see `QueriedSeparator` for its use.

    References:
        Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic similarity",
        ICLR 2024.

    Examples:
        >>> import torch
        >>> from asteroid_bimodal.queries.base import QueryEmbedding
        >>> model = BiModalUNet(
        ...     8000, 64, 16, None, cond_dim=6, pooled_dim=4, num_downs=5, ngf=2, num_heads=2
        ... )
        >>> query = QueryEmbedding(
        ...     tokens=torch.randn(1, 3, 5, 6),
        ...     mask=torch.ones(1, 3, 5, dtype=torch.bool),
        ...     pooled=torch.randn(1, 3, 4),
        ... )
        >>> model(torch.randn(1000), query).shape
        torch.Size([3, 1000])
    """

    masker_class: type[nn.Module] = CondUNet

    @classmethod
    def query_args(cls, encoder: QueryEncoder) -> dict[str, int]:
        """Returns the masker's arguments that depend on the queries."""
        return {"cond_dim": encoder.token_dim, "pooled_dim": encoder.pooled_dim}

    def _load_encoder(self, spec: EncoderSpec) -> QueryEncoder:
        encoder = super()._load_encoder(spec)
        # A masker that sees padding has to see as much of it as in training.
        return encoder if self.masker.mask_padding else encoder.padded()

    @classmethod
    def from_official(cls, path: str | PathLike, num_heads: int = 8, **kwargs: Any) -> BiModalUNet:
        """Loads a checkpoint of the paper's release, in eval mode; nothing in it is run.

        Args:
            path: `model_best.pth.tar` or the like.
            num_heads: attention heads, which the checkpoint does not tell.
            **kwargs: arguments of the class that replace the release's: sample_rate, hop_length and
                query_encoder (by default the release's CLAP, `laion/larger_clap_music`).

        Raises:
            ValueError: for another file, naming what does not fit.
        """
        official = load_official(path, num_heads)
        model = cls(**{**official.model_args, **kwargs})
        model.masker.load_state_dict(official.state_dict)
        return model.eval()
