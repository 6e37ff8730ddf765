"""Variant `assigned`: a stock ConvTasNet whose outputs belong to classes that the text names.

Letters in shapes: B examples, N mixtures in an example, S outputs, one for each class, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from asteroid.engine.system import System
from asteroid.losses import multisrc_mse
from asteroid.models import ConvTasNet
from omegaconf import DictConfig
from torch import Tensor, nn
from variant import Variant

from asteroid_bimodal.data.batches import Batch
from asteroid_bimodal.losses import TextConditionedMixIT
from asteroid_bimodal.queries import phrase_prompt

UNKNOWN = -1


class AssignedLoss(nn.Module):
    """MixIT whose assignment the text knows: named classes add up to their mixture.

    Silence is one more mixture, to which classes that do not sound are assigned. Masks are never
    negative, so that outputs that add up to silence are silent each. Silence has no
    signal-to-noise ratio, hence the squared error.

    Shape:
        - est: (B, S, T)
        - targets: mixtures (B, N, T), and the assignment (B, S): 0 to N - 1 a mixture, N
          silence, -1 where the text does not tell
    """

    def __init__(self) -> None:
        super().__init__()
        self.mixit = TextConditionedMixIT(multisrc_mse)

    def forward(self, est: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
        """Scalar loss."""
        return self._mix(est, targets)[0]

    def remix(self, est: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
        """Adds the estimates up to what they should be: (B, N, T)."""
        return self._mix(est, targets)[1][:, :-1]

    def _mix(self, est: Tensor, targets: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        mixtures, assignment = targets
        silence = torch.zeros_like(mixtures[:, :1])
        with_silence = torch.cat([mixtures, silence], dim=1)  # (B, N + 1, T)
        return self.mixit(est, with_silence, assignment, return_est=True)


def to_pair(batch: Batch, prompts: Sequence[str], incomplete: int = 0) -> tuple:
    """Turns a batch into what Asteroid's System expects, (inputs, targets).

    Args:
        batch: B examples; each is scaled to an RMS of 1, so that the squared error weighs them
            alike.
        prompts: the phrase of each of the S classes.
        incomplete: examples of the batch whose texts name the first sound of each mixture only.
    """
    level = batch.mixture.square().mean(1).sqrt()[:, None, None]
    mixtures = batch.mixtures / level
    assignment = [
        assign(phrases, prompts, complete=row >= incomplete)
        for row, phrases in enumerate(batch.phrases)
    ]
    return mixtures.sum(1), (mixtures, torch.tensor(assignment))


def assign(phrases: list[list[str]], prompts: Sequence[str], complete: bool) -> list[int]:
    """Says what each output belongs to.

    Args:
        phrases: of each of N mixtures.
        prompts: the phrase of each of the S classes.
        complete: whether the phrases are all that sounds; else only the first of each mixture
            counts, and any other class may sound in any mixture or not at all.

    Examples:
        >>> assign([["drum"], ["flute", "erhu"]], ["drum", "erhu", "flute", "tuba"], complete=True)
        [0, 1, 1, 2]
        >>> assign([["drum"], ["flute", "erhu"]], ["drum", "erhu", "flute", "tuba"], complete=False)
        [0, -1, 1, -1]
    """
    assignment = [len(phrases) if complete else UNKNOWN] * len(prompts)
    for mixture, texts in enumerate(phrases):
        for text in texts if complete else texts[:1]:
            assignment[prompts.index(text)] = mixture
    return assignment


def build(conf: DictConfig, labels: list[str]) -> Variant:
    """Builds the variant.

    Args:
        conf: the whole configuration.
        labels: of the data set, one output for each, in this order.
    """
    prompts = [phrase_prompt(label, conf.data.prompt) for label in labels]
    return Variant(
        system=System,
        # Masks that add up to 1, or all outputs would first learn to be silent.
        model=ConvTasNet(
            len(labels), mask_act="softmax", sample_rate=conf.data.sample_rate, **conf.net
        ),
        loss=AssignedLoss(),
        train_pair=partial(to_pair, prompts=prompts, incomplete=conf.assigned.incomplete),
        valid_pair=partial(to_pair, prompts=prompts),
    )
