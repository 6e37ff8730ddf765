"""Training mixtures of clips with natural captions, as of AudioCaps: their sources are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..queries.captions import PhraseAllocation, allocate_phrases, lexicon, parse_caption
from .batches import Example, Skipped
from .crops import SILENT, ClipFiles, ClipSource, StoredClip, crop_start
from .datasets import OnTheFlyDataset, example_of
from .manifest import read_manifest, take_share
from .mixture_builder import DrawnExample, draw_gains, mix


@dataclass(frozen=True)
class _CaptionedCrop:
    """Audio (T,) of a clip, its path, its caption, and the sounds that this names."""

    audio: Tensor
    path: str
    caption: str
    sounds: frozenset[frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class CaptionedBuilder:
    """Draws clips that have no sound in common, as far as their captions tell, and joins them.

    Every clip has P phrases: fewer are repeated, with weights that make up for it; of more, P - 1
    are drawn and the rest is one query of several sounds, so that P estimates still add up to the
    clip.

    Attributes:
        sample_rate: in hertz.
        num_samples: length of an example.
        num_phrases: P, phrases of each natural mixture.
        num_mixtures: N, natural mixtures in an example.
        gain: least and greatest volume of a clip.
        num_absent: phrases of sounds that an example does not hold, drawn beside it.
    """

    sample_rate: int
    num_samples: int
    num_phrases: int = 3
    num_mixtures: int = 2
    gain: tuple[float, float] = (0.5, 1.5)
    num_absent: int = 0

    @property
    def num_crops(self) -> int:
        """N, the crops of an example."""
        return self.num_mixtures

    def check_source(self, source: ClipSource, where: object) -> None:
        """Raises ValueError when clips have no captions, or there are too few."""
        without = next((clip.path for clip in source.clips if not clip.caption), None)
        if without:
            raise ValueError(
                f"Expected a caption for every clip of {where}, found none for {without}. For "
                "clips with labels use data.captioned false."
            )
        if min(self.num_phrases, self.num_mixtures) < 1 or len(source.clips) < self.num_mixtures:
            raise ValueError(
                f"Expected at least one phrase and one mixture, and as many clips; received "
                f"num_phrases {self.num_phrases}, n_mix {self.num_mixtures} and "
                f"{len(source.clips)} clips."
            )

    def draw_example(self, source: ClipSource, generator: torch.Generator) -> DrawnExample:
        """Draws clips of a source and builds an example of them."""
        crops: list[_CaptionedCrop] = []
        skipped: list[Skipped] = []
        for stored in source.in_turn(generator):
            drawn = self._draw_crop(stored, generator, crops)
            if isinstance(drawn, Skipped):
                skipped.append(drawn)
                source.discard(stored)
            elif drawn:
                crops.append(drawn)
            if len(crops) == self.num_mixtures:
                example = self._build(crops, source, generator, skipped)
                return DrawnExample(example, "", skipped)
        found = f"Found {len(crops)} usable clips of different sounds, expected {self.num_mixtures}"
        found = found if skipped else f"{found}; the others are of the same sounds"
        return DrawnExample(None, found, skipped)

    def _draw_crop(
        self, stored: StoredClip, generator: torch.Generator, others: Sequence[_CaptionedCrop]
    ) -> _CaptionedCrop | Skipped | None:
        """A crop, or why the clip is unusable; None for a pause and for a sound of the others."""
        clip = stored.clip
        place = float(torch.rand(1, generator=generator))
        start = crop_start(clip.seconds, self.num_samples / self.sample_rate, place)
        try:
            sounds = named_sounds(clip.caption)
            if any(other.sounds & sounds for other in others):
                return None
            audio = stored.read_audible(start, self.num_samples, self.sample_rate)
            if audio is None:
                return Skipped(stored.where, SILENT) if stored.is_silent() else None
        except ValueError as error:  # of the caption or of the file
            return Skipped(stored.where, str(error))
        return _CaptionedCrop(audio, stored.where, clip.caption, sounds)

    def _build(
        self,
        crops: list[_CaptionedCrop],
        source: ClipSource,
        generator: torch.Generator,
        skipped: list[Skipped],
    ) -> Example:
        gains = draw_gains((self.num_mixtures, 1), *self.gain, generator)
        mixed = mix(torch.stack([crop.audio for crop in crops])[:, None], gains)
        allocated = [
            share_out(parse_caption(crop.caption), self.num_phrases, generator) for crop in crops
        ]
        return Example(
            mixtures=mixed.mixtures,
            captions=[crop.caption for crop in crops],
            phrases=[allocation.phrases for allocation in allocated],
            phrase_weights=torch.stack([allocation.weights for allocation in allocated]),
            absent=self._draw_absent(crops, source, generator),
            clips=[crop.path for crop in crops],
            skipped=skipped,
        )

    def _draw_absent(
        self, crops: list[_CaptionedCrop], source: ClipSource, generator: torch.Generator
    ) -> list[str]:
        """Phrases of other clips that name no sound of these."""
        present = frozenset().union(*(crop.sounds for crop in crops))
        absent: dict[frozenset[str], str] = {}
        for stored in source.in_turn(generator) if self.num_absent else ():
            if len(absent) >= self.num_absent:
                break
            for phrase in phrases_of(stored.clip.caption):
                if _sound(phrase) not in present:
                    absent.setdefault(_sound(phrase), phrase)
        if len(absent) < self.num_absent:
            raise ValueError(
                f"Expected captions with {self.num_absent} sounds that are in no mixture, found "
                f"{len(absent)}. Lower --num_absent or add clips."
            )
        return list(absent.values())[: self.num_absent]


class CaptionedMixtures(OnTheFlyDataset):
    """Mixtures of mixtures made of natural clips, each with the phrases of its caption.

    Args:
        manifest: CSV of the clips; paths are relative to its folder.
        epoch_size: examples per epoch.
        share: part of the clips to use, from 0 to 1.
        seed: random seed.
        **mixtures: the attributes of `CaptionedBuilder`.

    Raises:
        ValueError: when clips have no captions, there are fewer than N of them, or none are asked
            for.
    """

    def __init__(
        self,
        manifest: str | Path,
        *,
        epoch_size: int = 1000,
        share: tuple[float, float] = (0.0, 1.0),
        seed: int = 0,
        **mixtures: Any,
    ):
        super().__init__(epoch_size, seed)
        self.builder = CaptionedBuilder(**mixtures)
        self.source = ClipFiles(take_share(read_manifest(manifest), share), Path(manifest).parent)
        self.builder.check_source(self.source, manifest)

    def draw_example(self, generator: torch.Generator) -> Example:
        return example_of(self.builder.draw_example(self.source, generator))


def share_out(
    phrases: Sequence[str], num_phrases: int, generator: torch.Generator | None = None
) -> PhraseAllocation:
    """Brings the phrases of a mixture to P that together stand for all of it.

    Where there are more, the last one joins those that were not drawn; of fewer, some are repeated.

    Examples:
        >>> draw = torch.Generator().manual_seed(0)
        >>> share_out(["wind", "rain", "a dog barks"], 2, draw).phrases
        ['a dog barks', 'wind and rain']
    """
    order = torch.randperm(len(phrases), generator=generator).tolist()
    if len(phrases) > num_phrases:
        alone = sorted(order[: num_phrases - 1])
        rest = [phrase for place, phrase in enumerate(phrases) if place not in alone]
        phrases = [*(phrases[place] for place in alone), " and ".join(rest)]
    return allocate_phrases(phrases, num_phrases, generator)


def phrases_of(caption: str) -> list[str]:
    """The phrases of a caption; none of one that names no sound, whose clip training skips."""
    try:
        return parse_caption(caption)
    except ValueError:
        return []


@lru_cache(maxsize=100_000)
def named_sounds(caption: str) -> frozenset[frozenset[str]]:
    """The sounds that a caption names, each as the words that say what it is; ValueError for none.

    Examples:
        >>> named_sounds("A dog barks") == named_sounds("Several dogs are barking loudly")
        True
    """
    return frozenset(_sound(phrase) for phrase in parse_caption(caption))


def _sound(phrase: str) -> frozenset[str]:
    described = lexicon.FUNCTION_WORDS | lexicon.PLACES
    words = [w for w in phrase.split() if w not in described and not lexicon.is_modifier(w)]
    bases = [lexicon.base_of(word) for word in words or phrase.split()]
    return frozenset(base if base.endswith("ss") else base.rstrip("s") for base in bases)
