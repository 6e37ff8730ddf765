"""Batches of pictures and texts, drawn and written for this recipe alone."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from miniatures.frames import draw_frames
from miniatures.music import LABELS
from omegaconf import DictConfig
from PIL import Image
from prompts import describe
from torch import Tensor

KINDS_OF_PICTURE = ("a photo of ", "a picture of ", "a drawing of ")

Labels = tuple[str, ...]


@dataclass(frozen=True)
class PictureBatch:
    """M pictures with as many texts.

    Attributes:
        pixels: (M, 3, H, W), normalised.
        labels: the instruments in each.
        texts: says which they are.
    """

    pixels: Tensor
    labels: list[Labels]
    texts: list[str]

    @property
    def same(self) -> Tensor:
        """Which pictures show the same instruments, (M, M)."""
        return same_sets(self.labels)


def same_sets(labels: Sequence[Labels]) -> Tensor:
    """Marks which of some lists hold the same instruments, (M, M).

    Args:
        labels: M lists.
    """
    sets = [frozenset(some) for some in labels]
    return torch.tensor([[one == other for other in sets] for one in sets])


class Album:
    """Pictures of one or two instruments that no separator has seen, and no other namespace.

    Args:
        singles: pictures of each instrument.
        pairs: pictures of each two.
        conf: the whole configuration.
        namespace: of the pictures.

    Attributes:
        labels: the instruments in each picture, from left to right.
        pictures: (n, 3, H, W), bytes.
    """

    def __init__(self, singles: int, pairs: int, conf: DictConfig, namespace: str) -> None:
        rng = np.random.default_rng((conf.seed, zlib.crc32(namespace.encode())))
        both = [pair[:: int(rng.choice((1, -1)))] for pair in combinations(LABELS, 2)]
        self.labels = [(label,) for label in LABELS] * singles + both * pairs
        drawn = [draw_frames(some, 1, rng, conf.image_size)[0] for some in self.labels]
        pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in drawn]))
        self.pictures = pixels.permute(0, 3, 1, 2).contiguous()
        self.num_singles = len(LABELS) * singles

    def images(self) -> list[Image.Image]:
        """Returns the pictures as such."""
        return [Image.fromarray(pixels.numpy()) for pixels in self.pictures.permute(0, 2, 3, 1)]

    def batches(
        self, singles: int, pairs: int, looks: Sequence, rng: random.Random
    ) -> Iterator[PictureBatch]:
        """Draws batches without end, half of the pictures mirrored.

        Args:
            singles: pictures of one instrument in a batch.
            pairs: pictures of two.
            looks: size, mean and deviation, see `look`.
            rng: the source of all choices.
        """
        first, second = range(self.num_singles), range(self.num_singles, len(self.labels))
        while True:
            chosen = rng.sample(first, singles) + rng.sample(second, pairs)
            labels = [self.labels[index] for index in chosen]
            pixels = self.pictures[chosen]
            mirrored = torch.tensor([rng.random() < 0.5 for _ in chosen]).view(-1, 1, 1, 1)
            pixels = torch.where(mirrored, pixels.flip(-1), pixels)
            texts = [say(some, rng) for some in labels]
            yield PictureBatch(look(pixels, *looks), labels, texts)


def look(pictures: Tensor, size: int, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Cuts the middle out of pictures and normalises it.

    Args:
        pictures: (M, 3, H, W), bytes.
        size: H and W of the result.
        mean: of the channels.
        deviation: of the channels.
    """
    edge = (pictures.shape[-1] - size) // 2
    middle = pictures[..., edge : edge + size, edge : edge + size] / 255
    return (middle - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)


def phrasings(rng: random.Random) -> Iterator[tuple[list[str], list[str]]]:
    """Yields two lists of texts without end: the same instruments at the same place.

    Args:
        rng: the source of all choices.
    """
    pairs = list(combinations(LABELS, 2))
    while True:
        sets = [*((label,) for label in LABELS), *rng.sample(pairs, 21)]
        first, second = ([say(labels, rng) for labels in sets] for _ in range(2))
        yield first, second


def say(labels: Labels, rng: random.Random) -> str:
    """Says which instruments a picture shows, in one of many ways.

    Args:
        labels: the instruments.
        rng: the source of the choice.
    """
    kind = rng.choice(KINDS_OF_PICTURE) if rng.random() < 0.3 else ""
    return kind + describe(labels, rng)
