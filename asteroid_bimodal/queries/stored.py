"""Embeddings of a CLAP's texts: shared by all who use it, and some of them stored beside it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .captions import phrase_prompt
from .embedding import EmbeddingCache, EncodedQuery

STORED = "texts.safetensors"  # in the folder of a CLAP
_BELONGING = (".json", ".safetensors", ".txt")  # files that make a CLAP
_BLOCK = 2**20


class SharedTexts(NamedTuple):
    """Embeddings that a CLAP has made, those that came with it among them, and the latter alone."""

    cache: EmbeddingCache
    stored: Mapping[str, EncodedQuery]


@lru_cache(maxsize=16)
def shared_texts(source: str, context_length: int | None, padding: str) -> SharedTexts:
    """Returns the embeddings of a CLAP's texts, the same for everybody with the same settings."""
    cache, path = EmbeddingCache(), Path(source) / STORED
    if context_length is None and padding == "longest" and path.is_file():
        cache.load(path, _digest(path.parent))
    return SharedTexts(cache, {str(text): item for text, item in cache.items()})


@dataclass(frozen=True)
class KnownLabels:
    """The labels that a CLAP knows best and their prompts, to be stored with its other files.

    Attributes:
        encoder: a `ClapTextEncoder` without settings of its own.
        labels: what the CLAP's configuration names as `known_labels`.
    """

    encoder: Any
    labels: list[str]

    def save_pretrained(self, folder: Path) -> None:
        """Writes their embeddings, after the CLAP's own files, if there is any to write."""
        texts = [text for label in self.labels for text in (label, phrase_prompt(label))]
        texts = [text for text in texts if self._reads(text)]
        stored = EmbeddingCache(max(1, len(texts)))
        for text, item in zip(texts, self.encoder.encode(texts), strict=True):
            stored.put(text, item)
        if texts:
            stored.save(folder / STORED, _digest(folder))

    def _reads(self, text: str) -> bool:
        """Whether asking for a text gives no warning; of others, whoever asks must be told."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                self.encoder.check_words(text)
            except (UserWarning, ValueError):
                return False
        return True


def _digest(folder: Path) -> str:
    """Tells the files of a CLAP from those of any other: its weights may be changed in place."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _BELONGING and path.name != STORED:
            digest.update(path.name.encode())
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
    return digest.hexdigest()
