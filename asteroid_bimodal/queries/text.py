"""Queries in words: the text tower of CLAP."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..scorers.pretrained import FrozenModule, encode_texts, load_clap, max_context
from .base import QueryEncoder
from .cache import EncodedQuery

_BATCH = 256  # texts at a time


class ClapTextEncoder(FrozenModule, QueryEncoder):
    """CLAP's frozen text encoder: token states, and the embedding that CLAP compares with audio.

    The network is shared with a `ClapScorer` of the same `name`.

    Args:
        name: `"mini"` (shipped with the package), a folder, or a model of the Hugging Face hub
            such as `"laion/clap-htsat-unfused"`.
        context_length: tokens to read of a text, the rest is cut off; by default all that the
            model can, 77 at most.
        padding: `"longest"` gives a query its own tokens alone; `"max_length"` gives all queries
            `context_length` tokens, as the paper's release has them.

    Shape:
        - queries: B lists of Q texts
        - output: tokens (B, Q, L, D), pooled (B, Q, E), projected and L2-normalised

    Raises:
        ValueError: when there is no such model.

    References:
        Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
        keyword-to-caption augmentation", ICASSP 2023.

    Examples:
        >>> encoder = ClapTextEncoder("mini")
        >>> query = encoder([["violin", "the sound of a flute"]])
        >>> query.pooled.shape == (1, 2, encoder.pooled_dim)
        True
    """

    def __init__(
        self,
        name: str | Path = "mini",
        *,
        context_length: int | None = None,
        padding: str = "longest",
    ) -> None:
        self._clap = load_clap(name)
        super().__init__(self._clap.model)
        if padding not in ("longest", "max_length"):
            raise ValueError(f"Expected padding 'longest' or 'max_length', received {padding!r}.")
        longest = max_context(self._clap)
        self.context_length = longest if context_length is None else context_length
        if not 3 <= self.context_length <= longest:
            raise ValueError(
                f"Expected a context_length between 3 and the model's {longest}, received "
                f"{context_length}."
            )
        self.name, self.padding = str(name), padding
        self.token_dim = self.network.config.text_config.hidden_size
        self.pooled_dim = self.network.config.projection_dim

    @property
    def fingerprint(self) -> str:
        """Tells the encoder from every other one: a digest of its weights and settings."""
        digest = hashlib.sha256(f"{self.context_length} {self.padding}".encode())
        for part in (self.network.text_model, self.network.text_projection):
            for tensor in part.state_dict().values():
                digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def encode(self, queries: list[str]) -> list[EncodedQuery]:
        """Encodes distinct texts.

        Args:
            queries: the texts.
        """
        encoded = []
        for start in range(0, len(queries), _BATCH):
            states = encode_texts(
                self._clap,
                queries[start : start + _BATCH],
                context_length=self.context_length,
                padding=self.padding,
            )
            encoded += [
                self._trim(EncodedQuery(*row))
                for row in zip(states.tokens, states.mask, states.pooled, strict=True)
            ]
        return encoded

    def _trim(self, item: EncodedQuery) -> EncodedQuery:
        """Drops padding that only other texts of the batch needed; padding is on the right."""
        if self.padding == "max_length":
            return item
        length = int(item.mask.sum())
        # Copies: a view would keep the whole batch in memory.
        return EncodedQuery(
            item.tokens[:length].clone(), item.mask[:length].clone(), item.pooled.clone()
        )
