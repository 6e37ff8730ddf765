"""Making examples: each by a seed of its own; from labelled crops, the mixing and the words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..queries.captions import mixture_caption, phrase_prompt
from .batches import Example, Skipped
from .mixing import draw_gains, mix


@dataclass(frozen=True)
class Draw:
    """A crop (T,) of a clip, its label, and the path of a frame of it, if it was asked for."""

    crop: Tensor
    label: str
    frame: str = ""


@dataclass(frozen=True)
class ExampleMaker:
    """Joins N·K crops of distinct labels into an example.

    Attributes:
        num_sources: K, sources in each natural mixture; 1 is supervised training.
        num_mixtures: N, natural mixtures in an example.
        gain: least and greatest volume of a crop.
        prompts: templates of a phrase, with `{}` for the label; each phrase draws one.
        caption: template of a caption, with `{}` for the labels.
        num_absent: phrases of labels that an example does not hold.
        frames: whether the crops come with frames.

    Raises:
        ValueError: when there is nothing to join.

    Examples:
        >>> make = ExampleMaker(num_sources=1, num_mixtures=2)
        >>> crops = [Draw(torch.randn(100), label) for label in ("violin", "flute")]
        >>> make(crops, ["flute", "violin"], torch.Generator().manual_seed(0), []).captions
        ['The sound of violin', 'The sound of flute']
    """

    num_sources: int = 2
    num_mixtures: int = 2
    gain: tuple[float, float] = (0.5, 1.5)
    prompts: Sequence[str] = ("The sound of {}",)
    caption: str = "The sound mixture of {}"
    num_absent: int = 0
    frames: bool = False

    def __post_init__(self):
        if self.num_sources < 1 or self.num_mixtures < 1:
            raise ValueError(
                "Expected at least one source in at least one mixture, received "
                f"n_src {self.num_sources} and n_mix {self.num_mixtures}."
            )

    @property
    def num_crops(self) -> int:
        """N·K, how many crops an example takes."""
        return self.num_sources * self.num_mixtures

    @property
    def num_labels(self) -> int:
        """How many labels it takes: those of the crops and those that are absent."""
        return self.num_crops + self.num_absent

    def check_labels(self, labels: Collection[str], where: object) -> None:
        """Sees to it that there are labels enough.

        Args:
            labels: of the clips.
            where: the clips come from.

        Raises:
            ValueError: when there are not.
        """
        if len(labels) < self.num_labels:
            absent = f" and {self.num_absent} absent ones" if self.num_absent else ""
            raise ValueError(
                f"Expected at least {self.num_labels} labels for {self.num_mixtures} mixtures of "
                f"{self.num_sources} sources{absent}, {where} has {len(labels)}. Lower --n_src or "
                "add classes."
            )

    def __call__(
        self,
        drawn: Sequence[Draw],
        labels: Sequence[str],
        generator: torch.Generator,
        skipped: list[Skipped],
    ) -> Example:
        """Makes an example.

        Args:
            drawn: N·K crops of distinct labels.
            labels: all that there are, in a fixed order.
            generator: of volumes, prompts and absent labels.
            skipped: clips that were passed over on the way.
        """
        shape = (self.num_mixtures, self.num_sources)
        gains = draw_gains(shape, *self.gain, generator)
        mixed = mix(torch.stack([draw.crop for draw in drawn]).view(*shape, -1), gains)
        starts = range(0, len(drawn), self.num_sources)
        parts = [drawn[first : first + self.num_sources] for first in starts]
        groups = [[draw.label for draw in part] for part in parts]
        phrases = [[self._phrase(label, generator) for label in group] for group in groups]
        return Example(
            mixtures=mixed.mixtures,
            # A mixture of one source is captioned by its phrase.
            captions=[
                mixture_caption(group, self.caption) if len(group) > 1 else texts[0]
                for group, texts in zip(groups, phrases, strict=True)
            ],
            phrases=phrases,
            phrase_weights=torch.ones(shape),
            labels=groups,
            frames=[[draw.frame for draw in part] for part in parts] if self.frames else [],
            absent=self._draw_absent(labels, {draw.label for draw in drawn}, generator),
            skipped=skipped,
        )

    def _draw_absent(
        self, labels: Sequence[str], present: set[str], generator: torch.Generator
    ) -> list[str]:
        absent = [label for label in labels if label not in present]
        order = torch.randperm(len(absent), generator=generator)[: self.num_absent]
        return [self._phrase(absent[index], generator) for index in order.tolist()]

    def _phrase(self, label: str, generator: torch.Generator) -> str:
        choice = int(torch.randint(len(self.prompts), (1,), generator=generator))
        return phrase_prompt(label, self.prompts[choice])


class DrawnExamples(Dataset):
    """Examples drawn afresh in each epoch; subclasses say how in `draw_example`.

    Item `i` of epoch `e` depends on (seed, e, i) and on nothing else.

    Args:
        epoch_size: examples per epoch.
        seed: of the draws.

    Attributes:
        epoch: of the draws; whoever trains sets it.
    """

    def __init__(self, epoch_size: int, seed: int):
        self.epoch_size, self.seed, self.epoch = epoch_size, seed, 0

    def __len__(self) -> int:
        return self.epoch_size

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.epoch_size:
            # Python ends a loop over a data set by this error.
            raise IndexError(f"Expected an index below {self.epoch_size}, received {index}.")
        generator = torch.Generator().manual_seed(mix_seed(self.seed, self.epoch, index))
        return self.draw_example(generator)

    def draw_example(self, generator: torch.Generator) -> Example:
        """Makes an example.

        Args:
            generator: of all that is left to chance.
        """
        raise NotImplementedError


def mix_seed(*numbers: int) -> int:
    """Makes one seed of several numbers, well spread: neighbours share no random stream.

    Args:
        numbers: the first has 32 bits.

    Examples:
        >>> mix_seed(0, 1, 2) == mix_seed(0, 1, 2), mix_seed(0, 1, 2) == mix_seed(0, 2, 1)
        (True, False)
    """
    state = numbers[0] & 0xFFFFFFFF
    for value in numbers[1:]:
        state = (state * 6364136223846793005 + value + 1442695040888963407) % 2**64
        state ^= state >> 31
    return state % 2**63
