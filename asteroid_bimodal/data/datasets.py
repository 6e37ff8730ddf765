"""Data sets over manifests: training mixtures drawn on the fly, test mixtures from fixed lists."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from ..queries.captions import phrase_prompt
from ..utils.audio_file import UnreadableAudioError, audio_seconds
from .batches import Example, Skipped, UnusableClipsError
from .crops import ClipFiles, read_audible
from .epoch import EpochPairs, EpochState
from .frames import frame_at, frames_of
from .manifest import read_manifest, take_share
from .mixture_builder import DrawnExample, MixtureBuilder, mix
from .pinned import PinnedSource, read_test_list
from .video_id import video_id


class OnTheFlyDataset(EpochState, Dataset):
    """A map-style data set of drawn examples; subclasses say how in `draw_example`.

    Item `i` of epoch `e` depends on (seed, e, i) alone. The training loop sets `epoch` and, where
    it goes on in the middle of one, `start`, the item that comes first.

    Args:
        epoch_size: examples per epoch.
        seed: random seed.
    """

    def __init__(self, epoch_size: int, seed: int):
        super().__init__()
        self.epoch_size, self.seed = epoch_size, seed

    def __len__(self) -> int:
        return self.epoch_size

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.epoch_size:
            # Python ends a loop over a data set by this error.
            raise IndexError(f"Expected an index below {self.epoch_size}, received {index}.")
        item = (self.start + index) % self.epoch_size
        generator = torch.Generator().manual_seed(mix_seed(self.seed, self.epoch, item))
        try:
            return self.draw_example(generator)
        except UnusableClipsError as error:
            return hand_over(error)

    def draw_example(self, generator: torch.Generator) -> Example:
        """Draws an example by a generator, on which alone it depends."""
        raise NotImplementedError


def too_few(found: str, skipped: Sequence[Skipped]) -> UnusableClipsError:
    """Makes the error of a draw that found too little, with the reason for which it did."""
    if not skipped:
        return UnusableClipsError(f"{found}.")
    path, reason = skipped[-1].path, skipped[-1].reason
    last = reason if path in reason else f"{path}: {reason}"
    clips = len({skip.path for skip in skipped})
    return UnusableClipsError(f"{found}: {clips} cannot be used. Last problem: {last}", skipped)


def example_of(drawn: DrawnExample) -> Example:
    """Returns what was drawn, or raises UnusableClipsError when there was too little."""
    if drawn.example is None:
        raise too_few(drawn.found, drawn.skipped)
    return drawn.example


def hand_over(error: UnusableClipsError) -> Example:
    """Raises the error; in a worker, gives it in place of an example, which `collate` raises."""
    # What a worker raises arrives as its text alone.
    if get_worker_info() is None:
        raise error
    return cast(Example, error)


def mix_seed(*numbers: int) -> int:
    """Makes one seed of several numbers, well spread: neighbours share no random stream.

    Examples:
        >>> mix_seed(0, 1, 2) == mix_seed(0, 1, 2), mix_seed(0, 1, 2) == mix_seed(0, 2, 1)
        (True, False)
    """
    state = numbers[0] & 0xFFFFFFFF
    for value in numbers[1:]:
        state = (state * 6364136223846793005 + value + 1442695040888963407) % 2**64
        state ^= state >> 31
    return state % 2**63


class LabelledMixtures(OnTheFlyDataset):
    """Mixtures of mixtures made from labelled single-source clips, as for MUSIC and VGGSound.

    Each example joins N natural mixtures of K clips, all N·K of distinct labels. The clips
    themselves never leave the data set: a separator gets mixtures and their words alone.

    Args:
        manifest: CSV of the clips; paths are relative to its folder.
        epoch_size: examples per epoch.
        share: part of each label's clips to use, from 0 to 1, see `take_share`.
        without: videos, see `video_id`, whose clips are not used.
        seed: random seed.
        **mixtures: the attributes of `MixtureBuilder`.

    Raises:
        ValueError: when the manifest has fewer labels than an example takes, or it takes none, and
            when there are no frames.
    """

    def __init__(
        self,
        manifest: str | Path,
        *,
        epoch_size: int = 1000,
        share: tuple[float, float] = (0.0, 1.0),
        without: Collection[str] = (),
        seed: int = 0,
        **mixtures: Any,
    ):
        super().__init__(epoch_size, seed)
        self.builder = MixtureBuilder(**mixtures)
        clips = [c for c in read_manifest(manifest) if video_id(c.path) not in without]
        self.source = ClipFiles(take_share(clips, share), Path(manifest).parent)
        self.builder.check_source(self.source, manifest)
        if self.builder.frames:  # at the beginning, not in the middle of an epoch
            label = self.source.labels[0]
            frames_of(self.source.root / self.source.by_label[label][0].path)

    def draw_example(self, generator: torch.Generator) -> Example:
        return example_of(self.builder.draw_example(self.source, generator))


class SemiSupervised(EpochPairs, Dataset):
    """Pairs of an example of natural mixtures, with captions alone, and one of single sources."""

    mixed: OnTheFlyDataset
    clean: OnTheFlyDataset

    def __len__(self) -> int:
        return len(self.mixed)

    def __getitem__(self, index: int) -> tuple[Example, Example]:
        return self.mixed[index], self.clean[index]


@dataclass(frozen=True)
class EvaluationItem:
    """One test mixture with its references.

    Attributes:
        item: its number in the list.
        mixture: (T,), the sum of the references; None when a source cannot be read.
        references: (K, T).
        labels: of the K sources.
        phrases: the query of each source.
        frames: path of a picture of each source; empty unless asked for.
        clips: paths of the sources.
        skipped: why the item cannot be scored, empty when it can.
    """

    item: int
    mixture: Tensor | None
    references: Tensor | None
    labels: list[str]
    phrases: list[str]
    frames: list[str] = field(default_factory=list)
    clips: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class PinnedMixtures(Dataset):
    """The mixtures of a fixed evaluation list, always the same.

    Args:
        test_list: CSV written by `pinned.write_test_list`.
        root: folder that the list's paths are relative to.
        sample_rate: in hertz.
        num_samples: length of an item.
        prompt: template of a phrase.
        frames: whether each source comes with the frame of its video in the middle of its crop.
        limit: use the first items only.
    """

    def __init__(
        self,
        test_list: str | Path,
        root: str | Path,
        *,
        sample_rate: int,
        num_samples: int,
        prompt: str = "The sound of {}",
        frames: bool = False,
        limit: int | None = None,
    ):
        self.name = Path(test_list).name
        self.items = read_test_list(test_list)[:limit]
        self.root = Path(root)
        self.sample_rate, self.num_samples = sample_rate, num_samples
        self.prompt, self.frames = prompt, frames

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> EvaluationItem:
        mixture = self.items[index]
        labels = [source.label for source in mixture.sources]
        phrases = [phrase_prompt(label, self.prompt) for label in labels]
        crops, skipped = [], []
        for source in mixture.sources:
            try:
                crops.append(self._read(source))
            except UnreadableAudioError as error:
                skipped.append(Skipped(source.path, str(error)))
        if skipped:
            return EvaluationItem(mixture.item, None, None, labels, phrases, skipped=skipped)
        gains = torch.tensor([[source.gain for source in mixture.sources]])
        mixed = mix(torch.stack(crops)[None], gains)
        frames = [self._frame(source) for source in mixture.sources] if self.frames else []
        clips = [source.path for source in mixture.sources]
        return EvaluationItem(
            mixture.item, mixed.mixture, mixed.parts[0], labels, phrases, frames, clips
        )

    def _read(self, source: PinnedSource) -> Tensor:
        path = self.root / source.path
        crop = read_audible(path, source.start, self.num_samples, self.sample_rate)
        if crop is None:
            raise UnreadableAudioError(f"{path} is silent from {source.start:.2f} s on.")
        return crop

    def _frame(self, source: PinnedSource) -> str:
        path, half = self.root / source.path, self.num_samples / self.sample_rate / 2
        return str(frame_at(path, source.start + half, audio_seconds(path)))
