"""From clips to an example: crops of distinct labels, mixed, with their words.

Mixing changes no input, and the sources always add up to the mixture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..queries.captions import mixture_caption, phrase_prompt
from ..queries.vocabulary import Vocabulary
from .batches import Example, Skipped
from .crops import ClipSource, Crop, CropSampler, draw_one


@dataclass(frozen=True)
class MixedExample:
    """A mixture of mixtures and its components.

    Attributes:
        parts: (N, P, T), each source as it is in the mixture.
        mixtures: (N, T), the natural mixtures, `parts.sum(1)`.
        mixture: (T,), the mixture of mixtures, `mixtures.sum(0)`.
    """

    parts: Tensor
    mixtures: Tensor
    mixture: Tensor


def mix(clips: Tensor, gains: Tensor) -> MixedExample:
    r"""Joins the clips of N natural mixtures into a mixture of mixtures.

    $$ s_{ip} = \frac{1}{NP} \mathrm{clip}(g_{ip} c_{ip}, -1, 1), \qquad
       M_i = \sum_p s_{ip}, \qquad M = \sum_i M_i $$

    so that the mixture is the mean of its scaled clips and the natural mixtures add up to it.

    Args:
        clips: (N, P, T), P clips for each of N natural mixtures.
        gains: (N, P), their volumes.

    Raises:
        ValueError: when the shapes do not fit.

    Examples:
        >>> clips = torch.randn(2, 3, 100).clamp(-1, 1)
        >>> mixed = mix(clips, torch.ones(2, 3))
        >>> torch.equal(mixed.mixtures.sum(0), mixed.mixture)
        True
    """
    if clips.ndim != 3 or gains.shape != clips.shape[:2]:
        raise ValueError(
            "Expected clips of shape (N, P, T) and gains of shape (N, P), received "
            f"{tuple(clips.shape)} and {tuple(gains.shape)}."
        )
    num_parts = clips.shape[0] * clips.shape[1]
    parts = (gains[..., None] * clips).clamp(-1, 1) / num_parts
    mixtures = parts.sum(1)
    return MixedExample(parts=parts, mixtures=mixtures, mixture=mixtures.sum(0))


def draw_gains(
    shape: tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> Tensor:
    """Draws volumes uniformly between `low` and `high`, as a tensor of a shape."""
    return low + (high - low) * torch.rand(shape, generator=generator)


@dataclass(frozen=True)
class DrawnExample:
    """What a draw gave: no example when too little is usable; `found` says so."""

    example: Example | None
    found: str
    skipped: list[Skipped]


@dataclass(frozen=True, kw_only=True)
class MixtureBuilder(CropSampler):
    """Draws N·K crops of distinct labels and joins them into N natural mixtures of K sources.

    Attributes:
        sample_rate: in hertz.
        num_samples: length of an example.
        num_sources: K, sources in each natural mixture; 1 is supervised training.
        num_mixtures: N, natural mixtures in an example.
        gain: least and greatest volume of a crop.
        prompt: template of a phrase, with `{}` for the label; of several, each phrase draws one.
        caption: template of a caption, with `{}` for the labels.
        num_absent: phrases of labels that an example does not hold, drawn beside it.
        center_crop: whether crops come from the middle of their clips instead of anywhere.
        frames: whether each crop comes with a frame of its video, from within the crop.
        speed: greatest factor by which crops play slower or faster, which moves their pitch, too.
        equaliser: spread in dB of the gains that each crop gets in each octave.
        vocabulary: other words for labels, of which each phrase draws one.
        one_kind: share of examples whose labels are all of one kind of the vocabulary, where it has
            enough of them.

    Raises:
        ValueError: for fewer than one source or mixture, and for kinds without a vocabulary.

    Examples:
        >>> builder = MixtureBuilder(sample_rate=8000, num_samples=100, num_sources=1)
        >>> crops = [Crop(torch.randn(100), label) for label in ("violin", "flute")]
        >>> builder.build(crops, ["flute", "violin"], torch.Generator().manual_seed(0)).captions
        ['The sound of violin', 'The sound of flute']
    """

    num_sources: int = 2
    num_mixtures: int = 2
    gain: tuple[float, float] = (0.5, 1.5)
    prompt: str | Sequence[str] = "The sound of {}"
    caption: str = "The sound mixture of {}"
    num_absent: int = 0
    vocabulary: Vocabulary | None = None
    one_kind: float = 0.0

    def __post_init__(self) -> None:
        if self.num_sources < 1 or self.num_mixtures < 1:
            raise ValueError(
                "Expected at least one source in at least one mixture, received "
                f"n_src {self.num_sources} and n_mix {self.num_mixtures}."
            )
        if self.one_kind and self.vocabulary is None:
            raise ValueError("Expected a vocabulary, which says of what kind labels are.")

    @property
    def num_crops(self) -> int:
        """N·K, the crops of an example."""
        return self.num_sources * self.num_mixtures

    @property
    def num_labels(self) -> int:
        """Labels that an example takes: those of the crops and the absent ones."""
        return self.num_crops + self.num_absent

    def check_source(self, source: ClipSource, where: object) -> None:
        """Raises ValueError when a source has too few labels."""
        self.check_labels(source.labels, where)

    def check_labels(self, labels: Collection[str], where: object) -> None:
        """Raises ValueError when there are too few labels."""
        if len(labels) < self.num_labels:
            absent = f" and {self.num_absent} absent ones" if self.num_absent else ""
            raise ValueError(
                f"Expected at least {self.num_labels} labels for {self.num_mixtures} mixtures of "
                f"{self.num_sources} sources{absent}; {where} has {len(labels)}. Lower --n_src or "
                "add classes."
            )

    def draw_example(self, source: ClipSource, generator: torch.Generator) -> DrawnExample:
        """Draws crops of clips of a source and builds an example of them."""
        labels = source.labels
        chosen = self._of_one_kind(labels, generator)
        drawn = self.draw_crops(source, self.num_crops, generator, chosen)
        example, num_found = None, len(drawn.crops)
        if num_found == self.num_crops and len(labels) >= self.num_labels:
            example = self.build(drawn.crops, labels, generator, drawn.skipped)
        found = f"Found usable audio for {num_found} labels, expected {self.num_labels}"
        return DrawnExample(example, found, drawn.skipped)

    def build(
        self,
        crops: Sequence[Crop],
        labels: Sequence[str],
        generator: torch.Generator,
        skipped: Sequence[Skipped] = (),
    ) -> Example:
        """Builds an example of N·K crops of distinct labels; absent ones come of all `labels`."""
        shape = (self.num_mixtures, self.num_sources)
        gains = draw_gains(shape, *self.gain, generator)
        mixed = mix(torch.stack([crop.audio for crop in crops]).view(*shape, -1), gains)
        groups = [crops[i : i + self.num_sources] for i in range(0, len(crops), self.num_sources)]
        names = [[crop.label for crop in group] for group in groups]
        phrases = [[self._phrase(label, generator) for label in group] for group in names]
        return Example(
            mixtures=mixed.mixtures,
            # A mixture of one source is captioned by its phrase.
            captions=[
                mixture_caption(group, self.caption) if len(group) > 1 else texts[0]
                for group, texts in zip(names, phrases, strict=True)
            ],
            phrases=phrases,
            phrase_weights=torch.ones(shape),
            labels=names,
            frames=[[crop.frame for crop in group] for group in groups] if self.frames else [],
            absent=self._draw_absent(labels, {crop.label for crop in crops}, generator),
            clips=[crop.where for crop in crops],
            skipped=list(skipped),
        )

    def _of_one_kind(self, labels: Sequence[str], generator: torch.Generator) -> Sequence[str]:
        """All labels, or those of the kind of one that is drawn."""
        if self.vocabulary is None or not self.one_kind:
            return labels
        if float(torch.rand(1, generator=generator)) >= self.one_kind:
            return labels
        kind = self.vocabulary.kind(draw_one(labels, generator))
        alike = [label for label in labels if self.vocabulary.kind(label) == kind]
        return alike if len(alike) >= self.num_crops else labels

    def _draw_absent(
        self, labels: Sequence[str], present: set[str], generator: torch.Generator
    ) -> list[str]:
        absent = [label for label in labels if label not in present]
        order = torch.randperm(len(absent), generator=generator)[: self.num_absent]
        return [self._phrase(absent[index], generator) for index in order.tolist()]

    def _phrase(self, label: str, generator: torch.Generator) -> str:
        if self.vocabulary is not None:
            label = draw_one(self.vocabulary.words(label), generator)
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        choice = int(torch.randint(len(prompts), (1,), generator=generator))
        return phrase_prompt(label, prompts[choice])
