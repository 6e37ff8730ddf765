"""Data sets over manifests: training mixtures drawn on the fly, test mixtures from pinned lists."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..queries.captions import phrase_prompt
from .audio import UnreadableAudioError, audio_seconds, read_crop
from .batches import Example, Skipped
from .check import video_id
from .frames import frame_at, frames_of
from .making import Draw, DrawnExamples, ExampleMaker
from .manifest import Clip, by_label, read_manifest, take_share
from .mixing import mix
from .pinned import ATTEMPTS, QUIET, PinnedSource, read_test_list


class LabelledMixtures(DrawnExamples):
    """Mixtures of mixtures made from labelled single-source clips, as for MUSIC and VGGSound.

    Each example joins N natural mixtures of K clips, all N·K of distinct labels. The clips
    themselves never leave the data set: a separator sees mixtures and their words alone.

    Args:
        manifest: CSV of the clips; paths are relative to its folder.
        sample_rate: in hertz.
        num_samples: length of an example.
        num_sources: K, sources in each natural mixture; 1 is supervised training.
        num_mixtures: N, natural mixtures in an example.
        epoch_size: examples per epoch.
        gain: least and greatest volume of a clip.
        prompt: template of a phrase, with `{}` for the label; of several, each phrase draws one.
        caption: template of a caption, with `{}` for the labels.
        share: part of each label's clips to use, from 0 to 1: `(0.0, 0.05)` and `(0.05, 1.0)` have
            no clip in common and together all of them.
        num_absent: phrases of labels that an example does not hold, drawn beside it.
        centred: whether crops come from the middle of their clips instead of anywhere.
        frames: whether each clip comes with a frame of its video, from within its crop.
        without: videos, see `check.video_id`, whose clips are not used.
        seed: of the draws.

    Raises:
        ValueError: when the manifest has fewer labels than an example needs, or it needs none, and
            when there are no frames.
    """

    def __init__(
        self,
        manifest: str | Path,
        *,
        sample_rate: int,
        num_samples: int,
        num_sources: int = 2,
        num_mixtures: int = 2,
        epoch_size: int = 1000,
        gain: tuple[float, float] = (0.5, 1.5),
        prompt: str | Sequence[str] = "The sound of {}",
        caption: str = "The sound mixture of {}",
        share: tuple[float, float] = (0.0, 1.0),
        num_absent: int = 0,
        centred: bool = False,
        frames: bool = False,
        without: Collection[str] = (),
        seed: int = 0,
    ):
        super().__init__(epoch_size, seed)
        prompts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
        self.make = ExampleMaker(
            num_sources, num_mixtures, gain, prompts, caption, num_absent, frames
        )
        self.root = Path(manifest).parent
        self.sample_rate, self.num_samples = sample_rate, num_samples
        self.centred, self.frames = centred, frames
        clips = [c for c in read_manifest(manifest) if video_id(c.path) not in without]
        self.clips = by_label(take_share(clips, share))
        self.make.check_labels(self.clips, manifest)
        if frames:  # at the beginning, not in the middle of an epoch
            frames_of(self.root / next(iter(self.clips.values()))[0].path)

    def draw_example(self, generator: torch.Generator) -> Example:
        """Makes an example."""
        skipped: list[Skipped] = []
        drawn: list[Draw] = []
        names = list(self.clips)
        for choice in torch.randperm(len(names), generator=generator).tolist():
            draw = self._draw(self.clips[names[choice]], generator, skipped)
            drawn += [draw] if draw else []
            if len(drawn) == self.make.num_crops:
                return self.make(drawn, names, generator, skipped)
        raise UnreadableAudioError(
            f"Found usable audio for {len(drawn)} labels, expected {self.make.num_crops}. "
            f"Last problem: {skipped[-1].reason}"
        )

    def _draw(
        self, clips: Sequence[Clip], generator: torch.Generator, skipped: list[Skipped]
    ) -> Draw | None:
        """An audible crop of one of the clips; None when none is found."""
        for _ in range(ATTEMPTS):
            clip = clips[int(torch.randint(len(clips), (1,), generator=generator))]
            room = max(0.0, clip.seconds - self.num_samples / self.sample_rate)
            place = 0.5 if self.centred else float(torch.rand(1, generator=generator))
            start = room * place
            try:
                crop = read_crop(self.root / clip.path, start, self.num_samples, self.sample_rate)
            except UnreadableAudioError as error:
                skipped.append(Skipped(clip.path, str(error)))
                continue
            if crop.square().mean().sqrt() > QUIET:
                return Draw(crop, clip.label, self._draw_frame(clip, start, generator))
        skipped.append(Skipped(clip.path, f"No audible crop in {ATTEMPTS} draws of its label."))
        return None

    def _draw_frame(self, clip: Clip, start: float, generator: torch.Generator) -> str:
        if not self.frames:
            return ""
        within = self.num_samples / self.sample_rate * float(torch.rand(1, generator=generator))
        return str(frame_at(self.root / clip.path, start + within, clip.seconds))


class SemiSupervised(Dataset):
    """Pairs of an example of natural mixtures and one of single sources.

    Args:
        mixed: examples whose mixtures have captions alone; says how many pairs there are.
        clean: examples whose mixtures are single sources.
    """

    def __init__(self, mixed: LabelledMixtures, clean: LabelledMixtures):
        self.mixed, self.clean = mixed, clean

    @property
    def epoch(self) -> int:
        """Of the draws."""
        return self.mixed.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.mixed.epoch = self.clean.epoch = epoch

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
        skipped: why the item cannot be scored, empty when it can.
    """

    item: int
    mixture: Tensor | None
    references: Tensor | None
    labels: list[str]
    phrases: list[str]
    frames: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class PinnedMixtures(Dataset):
    """The mixtures of a pinned list, always the same.

    Args:
        test_list: CSV written by `manifest.write_test_list`.
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
        clips, skipped = [], []
        for source in mixture.sources:
            try:
                clips.append(
                    read_crop(
                        self.root / source.path, source.start, self.num_samples, self.sample_rate
                    )
                )
            except UnreadableAudioError as error:
                skipped.append(Skipped(source.path, str(error)))
        if skipped:
            return EvaluationItem(mixture.item, None, None, labels, phrases, skipped=skipped)
        gains = torch.tensor([[source.gain for source in mixture.sources]])
        mixed = mix(torch.stack(clips)[None], gains)
        frames = [self._frame(source) for source in mixture.sources] if self.frames else []
        return EvaluationItem(mixture.item, mixed.mixture, mixed.parts[0], labels, phrases, frames)

    def _frame(self, source: PinnedSource) -> str:
        path, half = self.root / source.path, self.num_samples / self.sample_rate / 2
        return str(frame_at(path, source.start + half, audio_seconds(path)))
