"""Embeddings of frozen encoders: computed once, kept in memory and, if wanted, on disk."""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..utils.files import atomic_write


class EncodedQuery(NamedTuple):
    """One encoded query: tokens (L, D), mask (L) bool, pooled (E)."""

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


class EmbeddingCache:
    """The embeddings most recently used, in main memory.

    Args:
        max_items: how many; the one unused for longest goes first.

    Examples:
        >>> cache = EmbeddingCache(max_items=2)
        >>> item = EncodedQuery(torch.zeros(3, 4), torch.ones(3, dtype=torch.bool), torch.zeros(2))
        >>> for text in ("violin", "flute", "tuba"):
        ...     _ = cache.put(text, item)
        >>> len(cache), cache.get("violin") is None
        (2, True)
    """

    def __init__(self, max_items: int = 20_000) -> None:
        if max_items < 1:
            raise ValueError(f"Expected room for at least 1 item, received {max_items}.")
        self.max_items = max_items
        self._items: OrderedDict[Hashable, EncodedQuery] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Hashable) -> EncodedQuery | None:
        """Returns an embedding, or None when it is not there.

        Args:
            key: of the query.
        """
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def put(self, key: Hashable, item: EncodedQuery) -> EncodedQuery:
        """Keeps an embedding and returns what is kept: a copy in main memory.

        Args:
            key: of the query.
            item: its embedding.
        """
        kept = EncodedQuery(*(part.detach().cpu() for part in item))
        self._items[key] = kept
        while len(self._items) > self.max_items:
            self._items.popitem(last=False)
        return kept

    def save(self, path: str | Path, fingerprint: str) -> None:
        """Writes the embeddings of all texts to one safetensors file.

        Args:
            path: the file.
            fingerprint: says which encoder made them; `load` asks for the same.

        Raises:
            ValueError: when there is nothing to write.
        """
        items = {key: item for key, item in self._items.items() if isinstance(key, str)}
        if not items:
            raise ValueError("Expected at least one embedding to write. Encode something first.")
        tensors = {
            "tokens": torch.cat([item.tokens for item in items.values()]),
            "mask": torch.cat([item.mask for item in items.values()]),
            "pooled": torch.stack([item.pooled for item in items.values()]),
            "lengths": torch.tensor([len(item.mask) for item in items.values()]),
        }
        metadata = {"fingerprint": fingerprint, "texts": json.dumps(list(items))}
        with atomic_write(path) as temporary:
            save_file(tensors, temporary, metadata)

    def load(self, path: str | Path, fingerprint: str) -> int:
        """Reads what `save` wrote.

        A missing file, a broken one and one of another encoder are no reason to stop, since the
        embeddings can be computed again; of the last two a warning tells.

        Args:
            path: the file.
            fingerprint: of the encoder that asks.

        Returns:
            How many embeddings were read.
        """
        if not Path(path).is_file():
            return 0
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            warnings.warn(f"Ignoring the broken embeddings in {path}: {error}", stacklevel=2)
            return 0
        if metadata.get("fingerprint") != fingerprint:
            warnings.warn(f"Ignoring {path}: its embeddings are another encoder's.", stacklevel=2)
            return 0
        texts, lengths = json.loads(metadata["texts"]), tensors["lengths"].tolist()
        parts = zip(
            tensors["tokens"].split(lengths),
            tensors["mask"].split(lengths),
            tensors["pooled"],
            strict=True,
        )
        for text, part in zip(texts, parts, strict=True):
            self.put(text, EncodedQuery(*part))
        return len(texts)
