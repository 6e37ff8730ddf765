"""A tiny separator whose query encoder needs no weights."""

from __future__ import annotations

import zlib

import torch

from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries.base import QueryEncoder
from asteroid_bimodal.queries.embedding import EncodedQuery

MASKER = dict(out_dim=4, cond_dim=6, pooled_dim=5, num_downs=5, ngf=2, num_heads=2)


class HashedWords(QueryEncoder):
    """Random numbers that depend on the text alone."""

    token_dim, pooled_dim = 6, 5

    def encode(self, queries):
        return [self._encode(text) for text in queries]

    def _encode(self, text):
        generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
        length = len(text.split())
        return EncodedQuery(
            torch.randn(length, self.token_dim, generator=generator),
            torch.ones(length, dtype=torch.bool),
            torch.randn(self.pooled_dim, generator=generator),
        )


class HashedTexts(QueryEncoder):
    """The same, of three tokens each, and loud enough for masks that differ."""

    token_dim, pooled_dim = 6, 4

    def encode(self, queries):
        encoded = []
        for text in queries:
            generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
            tokens = torch.randn(3, 6, generator=generator)
            pooled = 9 * torch.randn(4, generator=generator)
            encoded.append(EncodedQuery(tokens, torch.ones(3, dtype=torch.bool), pooled))
        return encoded


def build_tiny(**changes):
    torch.manual_seed(0)
    args = dict(sample_rate=8000, n_fft=128, hop_length=32, query_encoder=HashedWords(), **MASKER)
    return BiModalUNet(**{**args, **changes}).eval()
