"""Training mixtures drawn from shards: a stream of clips instead of a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import IterableDataset

from .audio import UnreadableAudioError
from .batches import Example, Skipped
from .making import Draw, ExampleMaker, mix_seed
from .pinned import ATTEMPTS, QUIET
from .shards import ShardClip, find_shards, import_webdataset, read_shards


class Window:
    """The clips that a worker holds in memory: a random window of its shards.

    Args:
        shards: the worker's own.
        size: bytes of audio files to hold; shards of fewer stay in memory whole.
        generator: says which clip leaves for a new one.

    Attributes:
        by_label: the clips.
        skipped: what could not be used; whoever reports it clears the list.
    """

    def __init__(self, shards: Sequence[str], size: int, generator: torch.Generator):
        self.shards, self.size, self.generator = shards, size, generator
        self.by_label: dict[str, list[ShardClip]] = {}
        self.skipped: list[Skipped] = []
        self._clips: list[ShardClip] = []
        self._held, self._owed = 0, 0.0  # bytes, seconds
        self._stream = read_shards(shards, self.skipped)
        for clip in self._stream:
            self._add(clip)
            if self._held > size:
                break
        self._is_whole = self._held <= size

    def pick(self, clips: Sequence[ShardClip]) -> ShardClip:
        """Draws one of some clips."""
        return clips[int(torch.randint(len(clips), (1,), generator=self.generator))]

    def remove(self, clip: ShardClip) -> None:
        """Lets a clip go."""
        self._clips.remove(clip)
        self._held -= len(clip.audio)
        same = self.by_label[clip.clip.label]
        same.remove(clip)
        if not same:
            del self.by_label[clip.clip.label]

    def renew(self, seconds: float, at_least: float) -> None:
        """Takes in as much as was used up; what leaves is drawn from all clips.

        Args:
            seconds: of audio that were used.
            at_least: what the shortest clip counts for.
        """
        if self._is_whole:
            return
        self._owed += seconds
        while self._owed > 0:
            clip = self._next()
            self._add(clip)
            self._owed -= max(clip.clip.seconds, at_least)
        while self._held > self.size and len(self._clips) > 1:
            self.remove(self.pick(self._clips))

    def _add(self, clip: ShardClip) -> None:
        self._clips.append(clip)
        self._held += len(clip.audio)
        self.by_label.setdefault(clip.clip.label, []).append(clip)

    def _next(self) -> ShardClip:
        clip = next(self._stream, None)
        if clip is None:
            self._stream = read_shards(self.shards, self.skipped)
            clip = next(self._stream, None)
        if clip is None:
            raise UnreadableAudioError(f"No clip is left in {self.shards[0]} and the like.")
        return clip


class ShardedMixtures(IterableDataset):
    """The mixtures of `LabelledMixtures`, made from shards.

    Every worker of every process reads shards of its own, in an order drawn for the epoch, and
    holds some of their clips in memory. Labels are drawn among those held, then a clip and a crop
    of it. New clips come in as fast as audio is used up, so that a clip serves about as many crops
    as it is long; what leaves for them is drawn by chance. The examples depend on the seed, the
    epoch and the number of workers.

    Args:
        shards: pattern of the tar files, see `find_shards`.
        sample_rate: in hertz.
        num_samples: length of an example.
        num_sources: K, sources in each natural mixture; 1 is supervised training.
        num_mixtures: N, natural mixtures in an example.
        epoch_size: examples per epoch, of all workers together; what fills no batch is left out.
        batch_size: examples that the loader stacks: a worker's examples fill its batches.
        gain: least and greatest volume of a clip.
        prompt: template of a phrase, with `{}` for the label; of several, each phrase draws one.
        caption: template of a caption, with `{}` for the labels.
        num_absent: phrases of labels that an example does not hold, drawn beside it.
        centred: whether crops come from the middle of their clips instead of anywhere.
        memory: bytes of audio files that a worker holds.
        seed: of the draws.

    Raises:
        FileNotFoundError: when there are no shards.
        ValueError: when webdataset is not installed.
    """

    def __init__(
        self,
        shards: str,
        *,
        sample_rate: int,
        num_samples: int,
        num_sources: int = 2,
        num_mixtures: int = 2,
        epoch_size: int = 1000,
        batch_size: int = 1,
        gain: tuple[float, float] = (0.5, 1.5),
        prompt: str | Sequence[str] = "The sound of {}",
        caption: str = "The sound mixture of {}",
        num_absent: int = 0,
        centred: bool = False,
        memory: int = 256 * 2**20,
        seed: int = 0,
    ):
        prompts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
        self.make = ExampleMaker(num_sources, num_mixtures, gain, prompts, caption, num_absent)
        self.pattern, self.shards = shards, find_shards(shards)
        self.sample_rate, self.num_samples = sample_rate, num_samples
        self.epoch_size, self.batch_size = epoch_size, batch_size
        self.memory, self.seed = memory, seed
        self.centred, self.epoch = centred, 0
        self._seconds = num_samples / sample_rate

    def __iter__(self) -> Iterator[Example]:
        rank, num_ranks, worker, num_workers = import_webdataset().utils.pytorch_worker_info()
        num_batches = self._num_batches(num_ranks, worker, num_workers)
        if not num_batches:
            return
        place, places = rank * num_workers + worker, num_ranks * num_workers
        generator = torch.Generator().manual_seed(mix_seed(self.seed, self.epoch, place))
        window = Window(self._own_shards(place, places), self.memory, generator)
        if not window.by_label:
            raise UnreadableAudioError(
                f"Expected clips in {self.pattern}, found none." + _last(window.skipped)
            )
        self.make.check_labels(window.by_label, f"what a worker holds of {self.pattern}")
        for _ in range(num_batches * self.batch_size):
            yield self._example(window, generator)
            window.renew(self._seconds * self.make.num_crops, self._seconds)

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

    def _example(self, window: Window, generator: torch.Generator) -> Example:
        for _ in range(ATTEMPTS):
            labels = sorted(window.by_label)
            drawn = self._draw_crops(window, labels, generator)
            if len(drawn) == self.make.num_crops and len(labels) >= self.make.num_labels:
                skipped = list(window.skipped)
                window.skipped.clear()
                return self.make(drawn, labels, generator, skipped)
            window.renew(self._seconds * self.make.num_crops, self._seconds)  # others may do
        raise UnreadableAudioError(
            f"Found usable audio for {len(drawn)} labels in {self.pattern}, expected "
            f"{self.make.num_labels}." + _last(window.skipped)
        )

    def _draw_crops(
        self, window: Window, labels: Sequence[str], generator: torch.Generator
    ) -> list[Draw]:
        drawn: list[Draw] = []
        for choice in torch.randperm(len(labels), generator=generator).tolist():
            draw = self._draw(window, labels[choice], generator)
            drawn += [draw] if draw else []
            if len(drawn) == self.make.num_crops:
                break
        return drawn

    def _draw(self, window: Window, label: str, generator: torch.Generator) -> Draw | None:
        """An audible crop of one of the clips held; None when none is found."""
        for _ in range(ATTEMPTS):
            if label not in window.by_label:
                return None
            held = window.pick(window.by_label[label])
            room = max(0.0, held.clip.seconds - self._seconds)
            place = 0.5 if self.centred else float(torch.rand(1, generator=generator))
            try:
                crop = held.read_crop(room * place, self.num_samples, self.sample_rate)
            except UnreadableAudioError as error:
                window.skipped.append(Skipped(held.where, str(error)))
                window.remove(held)
                continue
            if crop.square().mean().sqrt() > QUIET:
                return Draw(crop, label)
        window.skipped.append(
            Skipped(held.where, f"No audible crop in {ATTEMPTS} draws of its label.")
        )
        return None


def _last(skipped: Sequence[Skipped]) -> str:
    return "".join(f" Last problem: {skip.path}: {skip.reason}" for skip in skipped[-1:])
