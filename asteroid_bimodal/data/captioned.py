"""Training mixtures of clips with natural captions, as of AudioCaps: their sources are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ..queries.captions import PhraseAllocation, allocate_phrases, lexicon, parse_caption
from .batches import Example, Skipped
from .crops import SILENT, StoredClip, crop_start, draw_in_turn
from .datasets import OnTheFlyDataset, too_few
from .manifest import Clip, read_manifest, take_share
from .mixture_builder import draw_gains, mix


@dataclass(frozen=True)
class _CaptionedCrop:
    """Audio (T,) of a clip, its path, its caption, and the sounds that this names."""

    audio: Tensor
    path: str
    caption: str
    sounds: frozenset[frozenset[str]]


class CaptionedMixtures(OnTheFlyDataset):
    """Mixtures of mixtures made of natural clips, each with the phrases of its caption.

    Each example joins N clips that have no sound in common, as far as their captions tell. Every
    clip has P phrases: fewer are repeated, with weights that make up for it; of more, P - 1 are
    drawn and the rest is one query of several sounds, so that P estimates still add up to the clip.

    Args:
        manifest: CSV of the clips; paths are relative to its folder.
        sample_rate: in hertz.
        num_samples: length of an example.
        num_phrases: P, phrases of each natural mixture.
        num_mixtures: N, natural mixtures in an example.
        epoch_size: examples per epoch.
        gain: least and greatest volume of a clip.
        share: part of the clips to use, from 0 to 1.
        num_absent: phrases of sounds that an example does not hold, drawn beside it.
        seed: random seed.

    Raises:
        ValueError: when clips have no captions, there are fewer than N of them, or none are asked
            for.
    """

    def __init__(
        self,
        manifest: str | Path,
        *,
        sample_rate: int,
        num_samples: int,
        num_phrases: int = 3,
        num_mixtures: int = 2,
        epoch_size: int = 1000,
        gain: tuple[float, float] = (0.5, 1.5),
        share: tuple[float, float] = (0.0, 1.0),
        num_absent: int = 0,
        seed: int = 0,
    ):
        super().__init__(epoch_size, seed)
        self.root = Path(manifest).parent
        self.sample_rate, self.num_samples = sample_rate, num_samples
        self.num_phrases, self.num_mixtures = num_phrases, num_mixtures
        self.gain, self.num_absent = gain, num_absent
        self.clips = take_share(read_manifest(manifest), share)
        without = next((clip.path for clip in self.clips if not clip.caption), None)
        if without:
            raise ValueError(
                f"Expected a caption for every clip of {manifest}, found none for {without}. For "
                "clips with labels use data.captioned false."
            )
        if min(num_phrases, num_mixtures) < 1 or len(self.clips) < num_mixtures:
            raise ValueError(
                f"Expected at least one phrase and one mixture, and as many clips; received "
                f"num_phrases {num_phrases}, n_mix {num_mixtures} and {len(self.clips)} clips."
            )

    def draw_example(self, generator: torch.Generator) -> Example:
        crops: list[_CaptionedCrop] = []
        skipped: list[Skipped] = []
        for clip in draw_in_turn(self.clips, generator):
            drawn = self._draw_crop(clip, generator, crops)
            if isinstance(drawn, Skipped):
                skipped.append(drawn)
            elif drawn:
                crops.append(drawn)
            if len(crops) == self.num_mixtures:
                return self._build(crops, generator, skipped)
        found = f"Found {len(crops)} usable clips of different sounds, expected {self.num_mixtures}"
        raise too_few(found if skipped else f"{found}; the others are of the same sounds", skipped)

    def _draw_crop(
        self, clip: Clip, generator: torch.Generator, others: Sequence[_CaptionedCrop]
    ) -> _CaptionedCrop | Skipped | None:
        """A crop, or why the clip is unusable; None for a pause and for a sound of the others."""
        place = float(torch.rand(1, generator=generator))
        start = crop_start(clip.seconds, self.num_samples / self.sample_rate, place)
        try:
            sounds = named_sounds(clip.caption)
            if any(other.sounds & sounds for other in others):
                return None
            stored = StoredClip(clip, self.root / clip.path, clip.path)
            audio = stored.read_audible(start, self.num_samples, self.sample_rate)
            if audio is None:
                return Skipped(clip.path, SILENT) if stored.is_silent() else None
        except ValueError as error:  # of the caption or of the file
            return Skipped(clip.path, str(error))
        return _CaptionedCrop(audio, clip.path, clip.caption, sounds)

    def _build(
        self, crops: list[_CaptionedCrop], generator: torch.Generator, skipped: list[Skipped]
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
            absent=self._draw_absent(crops, generator),
            clips=[crop.path for crop in crops],
            skipped=skipped,
        )

    def _draw_absent(self, crops: list[_CaptionedCrop], generator: torch.Generator) -> list[str]:
        """Phrases of other clips that name no sound of these."""
        present = frozenset().union(*(crop.sounds for crop in crops))
        absent: dict[frozenset[str], str] = {}
        for clip in draw_in_turn(self.clips if self.num_absent else (), generator):
            if len(absent) >= self.num_absent:
                break
            for phrase in phrases_of(clip.caption):
                if _sound(phrase) not in present:
                    absent.setdefault(_sound(phrase), phrase)
        if len(absent) < self.num_absent:
            raise ValueError(
                f"Expected captions with {self.num_absent} sounds that are in no mixture, found "
                f"{len(absent)}. Lower --num_absent or add clips."
            )
        return list(absent.values())[: self.num_absent]


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
