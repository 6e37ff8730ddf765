"""Variant `film`: one ConvTasNet that phrases steer, trained by MixIT and CLAP similarity.

Letters in shapes: B examples, N mixtures in an example, P phrases of a mixture, Q = N·P queries of
an example, F filters, T samples or frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from asteroid.engine.system import System
from asteroid.losses import multisrc_neg_snr
from asteroid.models import ConvTasNet
from asteroid.utils.torch_utils import pad_x_to_y
from omegaconf import DictConfig
from torch import Tensor, nn
from variant import Variant

from asteroid_bimodal.data.batches import Batch
from asteroid_bimodal.losses import ClapSimilarityLoss, TextConditionedMixIT
from asteroid_bimodal.masknn import FiLMAdapter
from asteroid_bimodal.queries import ClapTextEncoder
from asteroid_bimodal.scorers import ClapScorer
from asteroid_bimodal.utils.asteroid_compat import register_model


class FiLMConvTasNet(ConvTasNet):
    """Asteroid's ConvTasNet, told by a phrase what to separate.

    Args:
        query_encoder: name of the frozen CLAP that reads the phrases.
        n_src: outputs for each phrase.
        **conv_tasnet_args: arguments of `asteroid.models.ConvTasNet`.

    Shape:
        - wav: (B, T)
        - queries: B lists of Q texts
        - returns: (B, Q, T)
    """

    def __init__(
        self, query_encoder: str = "mini", n_src: int = 1, **conv_tasnet_args: Any
    ) -> None:
        super().__init__(n_src, **conv_tasnet_args)
        self.query_encoder = ClapTextEncoder(query_encoder)  # no part of the state_dict
        self.masker = FiLMAdapter(self.masker, cond_dim=self.query_encoder.pooled_dim)

    def forward(self, wav: Tensor, queries: Sequence[Sequence[str]]) -> Tensor:
        """Separates: the encoder runs once for each mixture, the masker once for each query."""
        cond = self.query_encoder(queries).pooled.to(wav)  # (B, Q, E)
        tf_rep = self.forward_encoder(wav.unsqueeze(1))  # (B, F, frames)
        masks = self.masker(tf_rep, cond)  # (B, Q, F, frames)
        masked = self.apply_masks(tf_rep, masks)
        return pad_x_to_y(self.forward_decoder(masked), wav)

    def get_model_args(self) -> dict[str, Any]:
        """Returns the arguments that build this model again."""
        return {**super().get_model_args(), "query_encoder": self.query_encoder.spec.name}


register_model(FiLMConvTasNet)  # for asteroid.models.BaseModel.from_pretrained


class QuerySystem(System):
    """Asteroid's System for a model that takes more than the mixture."""

    def forward(self, inputs: tuple) -> Tensor:
        """Gives the model all that the batch has for it."""
        return self.model(*inputs)


class FiLMLoss(nn.Module):
    """Phrases of one mixture add up to it (MixIT), and each sounds like itself (CLAP).

    Args:
        scorer: name of the frozen CLAP that listens.
        sample_rate: of the estimates, in hertz.
        similarity_weight: of the second term.

    Shape:
        - est: (B, N·P, T), mixture by mixture
        - targets: mixtures (B, N, T), and B lists of N·P phrases
    """

    def __init__(self, scorer: str, sample_rate: int, similarity_weight: float) -> None:
        super().__init__()
        self.mixit = TextConditionedMixIT(multisrc_neg_snr)
        self.similarity = ClapSimilarityLoss(ClapScorer(scorer), sample_rate=sample_rate)
        self.similarity_weight = similarity_weight

    def forward(self, est: Tensor, targets: tuple[Tensor, list[list[str]]]) -> Tensor:
        """Scalar loss."""
        mixtures, phrases = targets
        reconstruction = self.mixit(est, mixtures, assignment(est, mixtures))
        return reconstruction + self.similarity_weight * self.similarity(est, phrases)

    def remix(self, est: Tensor, targets: tuple[Tensor, list[list[str]]]) -> Tensor:
        """Adds the estimates up to what they should be: (B, N, T)."""
        mixtures, _ = targets
        return self.mixit(est, mixtures, assignment(est, mixtures), return_est=True)[1]


def assignment(est: Tensor, mixtures: Tensor) -> Tensor:
    """Says which mixture each estimate belongs to, (B, N·P): the text tells of all of them."""
    batch, n_mix, n_est = *mixtures.shape[:2], est.shape[1]
    return torch.arange(n_mix).repeat_interleave(n_est // n_mix).expand(batch, -1)


def to_pair(batch: Batch) -> tuple:
    """Turns a batch into what Asteroid's System expects, (inputs, targets)."""
    phrases = batch.flat_phrases
    return (batch.mixture, phrases), (batch.mixtures, phrases)


def build(conf: DictConfig, labels: list[str]) -> Variant:
    """Builds the variant.

    Args:
        conf: the whole configuration.
        labels: of the data set; phrases need no list of them.
    """
    rate = conf.data.sample_rate
    return Variant(
        system=QuerySystem,
        model=FiLMConvTasNet(conf.film.query_encoder, sample_rate=rate, **conf.net),
        loss=FiLMLoss(conf.film.scorer, rate, conf.film.similarity_weight),
        train_pair=to_pair,
        valid_pair=to_pair,
    )
