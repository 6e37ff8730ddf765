"""Training mixtures drawn from shards: a stream of clips instead of a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch.utils.data import IterableDataset

from .batches import Example, Skipped, UnusableClipsError
from .crops import ATTEMPTS, StoredClip, draw_one
from .datasets import hand_over, mix_seed, too_few
from .epoch import EpochState
from .mixture_builder import MixtureBuilder
from .shards import find_shards, import_webdataset, read_shards


class ShardWindow:
    """The clips that a worker holds in memory: a random window of its shards, a `ClipSource`.

    Args:
        shards: the worker's own.
        size: bytes of audio files to hold; shards of fewer stay in memory whole.
        generator: draws the clips that leave for new ones.
    """

    def __init__(self, shards: Sequence[str], size: int, generator: torch.Generator):
        self.shards, self.size, self.generator = shards, size, generator
        self.by_label: dict[str, list[StoredClip]] = {}
        self._clips: list[StoredClip] = []
        self._skipped: list[Skipped] = []
        self._bytes, self._used_seconds = 0, 0.0
        self._stream = read_shards(shards)
        while self._bytes <= size and (clip := self._next()):
            self._add(clip)
        self._is_whole = self._bytes <= size

    @property
    def labels(self) -> list[str]:
        """In alphabetical order."""
        return sorted(self.by_label)

    def draw(self, label: str, generator: torch.Generator) -> StoredClip | None:
        """Draws a clip of a label; None when none is left."""
        return draw_one(self.by_label[label], generator) if label in self.by_label else None

    def discard(self, clip: StoredClip) -> None:
        """Lets a clip go."""
        self._clips.remove(clip)
        self._bytes -= len(cast(bytes, clip.audio))
        same = self.by_label[clip.clip.label]
        same.remove(clip)
        if not same:
            del self.by_label[clip.clip.label]

    def renew(self, used_seconds: float, at_least: float) -> None:
        """Takes in as much audio as was used; what leaves for it is drawn from all clips."""
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
            self.discard(draw_one(self._clips, self.generator))

    def take_skipped(self) -> list[Skipped]:
        """What could not be read of the shards since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def _add(self, clip: StoredClip) -> None:
        self._clips.append(clip)
        self._bytes += len(cast(bytes, clip.audio))
        self.by_label.setdefault(clip.clip.label, []).append(clip)

    def _next(self) -> StoredClip | None:
        for found in self._stream:
            if isinstance(found, StoredClip):
                return found
            self._skipped.append(found)
        return None


class ShardedMixtures(EpochState, IterableDataset):
    """The mixtures of `LabelledMixtures`, made from shards.

    Each worker holds some clips in memory. Labels are drawn among those held, then a clip and a
    crop of it. New clips come in as fast as audio is used up, so that a clip serves about as many
    crops as it is long; what leaves for them is drawn at random. The examples depend on the seed,
    the epoch and the number of workers.

    Args:
        shards: pattern of the tar files, see `find_shards`.
        epoch_size: examples per epoch, of all workers together; what fills no batch is left out.
        batch_size: examples that the loader stacks: a worker's examples fill its batches.
        memory: bytes of audio files that a worker holds.
        seed: random seed.
        **mixtures: the attributes of `MixtureBuilder`, frames excepted.

    Raises:
        FileNotFoundError: when there are no shards.
        ValueError: when webdataset is not installed.
    """

    def __init__(
        self,
        shards: str,
        *,
        epoch_size: int = 1000,
        batch_size: int = 1,
        memory: int = 256 * 2**20,
        seed: int = 0,
        **mixtures: Any,
    ):
        super().__init__()
        self.builder = MixtureBuilder(**mixtures)
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
        window = ShardWindow(self._own_shards(place, places), self.memory, generator)
        if not window.labels:
            raise too_few(f"Found no clip in {self.pattern}", window.take_skipped())
        self.builder.check_labels(window.labels, f"what a worker holds of {self.pattern}")
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
                return replace(drawn.example, skipped=skipped)
            self._renew(window)  # other clips may do
            skipped += window.take_skipped()
        raise too_few(
            f"Found usable audio for {drawn.num_labels} labels in {self.pattern}, expected "
            f"{self.builder.num_labels}",
            skipped,
        )

    def _renew(self, window: ShardWindow) -> None:
        seconds = self.builder.num_samples / self.builder.sample_rate
        window.renew(seconds * self.builder.num_crops, seconds)
