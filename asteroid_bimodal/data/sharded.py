"""Training mixtures drawn from shards: a stream of clips instead of a folder of them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch.utils.data import IterableDataset

from .batches import Example, Skipped, UnusableClipsError
from .crops import ATTEMPTS, ClipSource, StoredClip, draw_in_turn, draw_one
from .datasets import hand_over, mix_seed, too_few
from .epoch import EpochPairs, EpochState
from .manifest import Clip
from .mixture_builder import DrawnExample, MixtureBuilder
from .shards import find_shards, import_webdataset, read_shards

_BLOCK = 512  # bytes, of a tar file


class ShardWindow:
    """The clips that a worker holds in memory: a random window of its shards, a `ClipSource`.

    It is a fair sample of all clips of the shards: as many of those held as of all were used in
    this epoch, so that a clip is drawn again as seldom as among all.

    Args:
        shards: the worker's own.
        size: bytes of files to hold; shards of fewer stay in memory whole.
        generator: draws the clips that leave for new ones.
        only: paths of the clips that are not passed over; None for all.
    """

    def __init__(
        self,
        shards: Sequence[str],
        size: int,
        generator: torch.Generator,
        only: Collection[str] | None = None,
    ):
        self.shards, self.size, self.generator, self.only = shards, size, generator, only
        self._used: set[str] = set()  # where the clips are
        self.by_label: dict[str, list[StoredClip]] = {}
        self._clips: list[StoredClip] = []
        self._skipped: list[Skipped] = []
        self._bytes, self._read, self._used_seconds = 0, 0, 0.0
        self._stream = read_shards(shards)
        while self._bytes <= size and (clip := self._next()):
            self._add(clip)
        self._is_whole = self._bytes <= size
        # About how many clips there are; of addresses nobody knows.
        known = bool(self._read) and all(map(os.path.isfile, shards))
        size_of_all = sum(map(os.path.getsize, shards)) if known else math.inf
        self._num_clips = len(self._clips) * size_of_all / max(1, self._read)

    @property
    def clips(self) -> list[Clip]:
        """Those held."""
        return [stored.clip for stored in self._clips]

    @property
    def labels(self) -> list[str]:
        """In alphabetical order."""
        return sorted(self.by_label)

    def draw(self, label: str, generator: torch.Generator) -> StoredClip | None:
        """Draws a clip of a label; None when none is left."""
        return draw_one(self.by_label[label], generator) if label in self.by_label else None

    def in_turn(self, generator: torch.Generator) -> Iterator[StoredClip]:
        """Draws all clips held in random order."""
        return draw_in_turn(list(self._clips), generator)

    def use(self, places: Collection[str]) -> None:
        """Takes note of clips that an example was made of."""
        self._used.update(places)

    def discard(self, clip: StoredClip) -> None:
        """Lets a clip go."""
        self._clips.remove(clip)
        self._bytes -= clip.num_bytes
        same = self.by_label[clip.clip.label]
        same.remove(clip)
        if not same:
            del self.by_label[clip.clip.label]

    def renew(self, used_seconds: float, at_least: float) -> None:
        """Takes in as much audio as was used, and lets others go that are drawn for it."""
        # The shortest clip counts for `at_least` seconds.
        if self._is_whole:
            return
        self._used_seconds += used_seconds
        while self._used_seconds > 0:
            clip = self._next()
            if clip is None:
                self._stream = read_shards(self.shards)
                clip = self._next()
            if clip is None:
                found = f"No clip is left in {self.shards[0]} and the like"
                raise too_few(found, self.take_skipped())
            self._add(clip)
            self._used_seconds -= max(clip.clip.seconds, at_least)
        while self._bytes > self.size and len(self._clips) > 1:
            self.discard(self._draw_leaving())

    def _draw_leaving(self) -> StoredClip:
        """Draws of those that were used where they are more than their share, else of the rest."""
        used = [clip for clip in self._clips if clip.where in self._used]
        if len(used) > len(self._used) / self._num_clips * len(self._clips):
            return draw_one(used, self.generator)
        rest = [clip for clip in self._clips if clip.where not in self._used]
        return draw_one(rest or used, self.generator)

    def take_skipped(self) -> list[Skipped]:
        """What could not be read of the shards since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def _add(self, clip: StoredClip) -> None:
        self._clips.append(clip)
        self._bytes += clip.num_bytes
        self.by_label.setdefault(clip.clip.label, []).append(clip)

    def _next(self) -> StoredClip | None:
        for found in self._stream:
            if isinstance(found, Skipped):
                self._skipped.append(found)
                continue
            self._read += _bytes_in_shard(found)
            if self.only is None or found.clip.path in self.only:
                return found
        return None


def _bytes_in_shard(clip: StoredClip) -> int:
    """What a clip takes of a tar file: its files and its row, each a header and whole blocks."""
    content = [0, *map(len, clip.frames), len(clip.audio) if isinstance(clip.audio, bytes) else 0]
    return sum(_BLOCK + math.ceil(max(size, 1) / _BLOCK) * _BLOCK for size in content)


class ExampleBuilder(Protocol):
    """What makes examples of clips: a `MixtureBuilder` or a `CaptionedBuilder`."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def num_samples(self) -> int: ...
    @property
    def num_crops(self) -> int: ...
    def check_source(self, source: ClipSource, where: object) -> None: ...
    def draw_example(self, source: ClipSource, generator: torch.Generator) -> DrawnExample: ...


class ShardedMixtures(EpochState, IterableDataset):
    """The mixtures of `LabelledMixtures` or `CaptionedMixtures`, made from shards.

    Each worker holds some clips in memory. Labels are drawn among those held, then a clip and a
    crop of it. New clips come in as fast as audio is used up, so that a clip serves about as many
    crops as it is long; others leave for them, those that were used first. The examples depend on
    the seed, the epoch and the number of workers.

    Args:
        shards: pattern of the tar files, see `find_shards`.
        builder: what makes the examples; None for a `MixtureBuilder` of **mixtures.
        only: paths of the clips that are used; None for all.
        epoch_size: examples per epoch, of all workers together; what fills no batch is left out.
        batch_size: examples that the loader stacks: a worker's examples fill its batches.
        memory: bytes of audio files that a worker holds.
        seed: random seed.
        **mixtures: the attributes of `MixtureBuilder`.

    Raises:
        FileNotFoundError: when there are no shards.
        ValueError: when webdataset is not installed.
    """

    def __init__(
        self,
        shards: str,
        *,
        builder: ExampleBuilder | None = None,
        only: Collection[str] | None = None,
        epoch_size: int = 1000,
        batch_size: int = 1,
        memory: int = 256 * 2**20,
        seed: int = 0,
        **mixtures: Any,
    ):
        super().__init__()
        self.builder = MixtureBuilder(**mixtures) if builder is None else builder
        self.only = only
        self.pattern, self.shards = shards, find_shards(shards)
        self.epoch_size, self.batch_size = epoch_size, batch_size
        self.memory, self.seed = memory, seed

    def __iter__(self) -> Iterator[Example]:
        try:
            yield from self._examples()
        except UnusableClipsError as error:
            yield hand_over(error)

    def _examples(self) -> Iterator[Example]:
        rank, num_ranks, worker, num_workers = import_webdataset().utils.pytorch_worker_info()
        # Batches come from the workers in turn: the first worker is the one whose turn it is.
        taken = self.start // (num_ranks * self.batch_size)
        worker = (worker + taken) % num_workers
        num_taken = len(range(worker, taken, num_workers))
        num_batches = self._num_batches(num_ranks, worker, num_workers)
        if not num_batches:
            return
        place, places = rank * num_workers + worker, num_ranks * num_workers
        generator = torch.Generator().manual_seed(mix_seed(self.seed, self.epoch, place))
        own = self._own_shards(place, places)
        window = ShardWindow(own, self.memory, generator, self.only)
        if not window.labels:
            raise too_few(f"Found no clip in {self.pattern}", window.take_skipped())
        self.builder.check_source(window, f"what a worker holds of {self.pattern}")
        for number in range(num_batches * self.batch_size):
            example = self._draw_example(window, generator)
            if number >= num_taken * self.batch_size:
                yield example
            self._renew(window)

    def _num_batches(self, num_ranks: int, worker: int, num_workers: int) -> int:
        """A worker's part of its process's batches; whole ones, since workers share none."""
        # As many for each: processes that train together wait for each other's batches.
        num_batches = self.epoch_size // (num_ranks * self.batch_size)
        if not num_batches:
            raise ValueError(
                f"Expected an epoch that fills a batch of {self.batch_size} for each of "
                f"{num_ranks} processes, received {self.epoch_size} examples. Raise "
                "data.epoch_size or lower training.batch_size."
            )
        return len(range(worker, num_batches, num_workers))

    def _own_shards(self, place: int, places: int) -> list[str]:
        """Draws the epoch's order, the same for all, and takes every `places`-th shard."""
        if len(self.shards) < places:
            raise ValueError(
                f"Expected a shard or more for each of {places} workers, {self.pattern} has "
                f"{len(self.shards)}. Lower --num_workers, or write smaller shards."
            )
        generator = torch.Generator().manual_seed(mix_seed(self.seed, self.epoch))
        order = torch.randperm(len(self.shards), generator=generator).tolist()
        return [self.shards[index] for index in order[place::places]]

    def _draw_example(self, window: ShardWindow, generator: torch.Generator) -> Example:
        skipped = window.take_skipped()
        for _ in range(ATTEMPTS):
            drawn = self.builder.draw_example(window, generator)
            skipped += drawn.skipped
            if drawn.example is not None:
                window.use(drawn.example.clips)
                return replace(drawn.example, skipped=skipped)
            self._renew(window)  # other clips may do
            skipped += window.take_skipped()
        raise too_few(f"{drawn.found}, in {self.pattern}", skipped)

    def _renew(self, window: ShardWindow) -> None:
        seconds = self.builder.num_samples / self.builder.sample_rate
        window.renew(seconds * self.builder.num_crops, seconds)


class ShardedPairs(EpochPairs, IterableDataset):
    """The pairs of `SemiSupervised`, made from shards of both kinds."""

    mixed: ShardedMixtures
    clean: ShardedMixtures

    def __iter__(self) -> Iterator[tuple[Example, Example]]:
        return zip(self.mixed, self.clean, strict=True)
