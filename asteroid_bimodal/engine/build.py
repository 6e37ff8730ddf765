"""Configuration to objects: the only place that maps names to classes."""

from __future__ import annotations

import hashlib
import math
from functools import partial
from pathlib import Path

import torch
from asteroid.engine.optimizers import make_optimizer
from omegaconf import OmegaConf
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau, StepLR

from ..losses.composite import CompositeLoss, Weighted
from ..losses.reconstruction import DISTANCES
from ..losses.terms import TERMS, URL
from ..models import AudioSep, BiModalUNet, CLIPSep, LASSNet, LightBiModalUNet, QueriedSeparator
from ..queries import EncoderSpec, LabelEncoder, QueryEncoder, UnconditionedEncoder
from ..scorers import ClapScorer, TimbreClassifier
from .loaders import build_train_loader, build_valid_loader, labels_of, vocabulary_of
from .schema import Config
from .system import BiModalSystem

# Of each separator, the class and the section of the configuration with its masker's arguments.
SEPARATORS = {
    "audiosep": (AudioSep, "res_unet30"),
    "bimodal_unet": (BiModalUNet, "masker"),
    "clipsep": (CLIPSep, "sound_unet"),
    "lassnet": (LASSNet, "film_resunet"),
    "light_bimodal_unet": (LightBiModalUNet, "light_unet"),
}

TIMBRE = "timbre"  # the loss term whose classifier stage 2 trains


def build_model(conf: Config) -> QueriedSeparator:
    """Builds the separator with its query encoder."""
    kind, section = SEPARATORS[conf.separator]
    encoder = build_query_encoder(conf, "test_encoder" if conf.query.test_encoder else "encoder")
    model = kind(
        sample_rate=conf.data.sample_rate,
        query_encoder=encoder,
        input_level=conf.input_level,
        vocabulary=vocabulary_of(conf),
        **kind.query_args(encoder),
        **conf.filterbank,
        **conf[section],
    )
    # Convolutions are faster this way, on CPUs and on GPUs.
    return model.to(memory_format=torch.channels_last)


def build_query_encoder(conf: Config, role: str = "encoder") -> QueryEncoder:
    """Builds a frozen query encoder, with the embeddings that stage 2 wrote.

    Args:
        conf: the whole configuration.
        role: "encoder", or "test_encoder" for the one that the saved model has.
    """
    encoder = encoder_spec(conf, role).load()
    encoder.cache.load(embeddings_path(conf, encoder), encoder.fingerprint)
    return encoder


def encoder_spec(conf: Config, role: str = "encoder") -> EncoderSpec:
    """Names the query encoder of the configuration.

    The value of `query.encoder` or `query.test_encoder`; where that is another key of `query`, its
    value. The specs of "label" and "outputs" follow from the data.
    """
    query, data = conf.query, conf.data
    name = query[role]
    if name == "label":
        return LabelEncoder(_classes(conf), [data.prompt, *data.more_prompts]).spec
    if name == "outputs":
        per_mixture = data.n_src if query.outputs == "sources" else 1
        return UnconditionedEncoder(data.n_mix * per_mixture).spec
    return EncoderSpec.parse(query[name] if name in query else name)


def embeddings_path(conf: Config, encoder: QueryEncoder) -> Path:
    """Says where stage 2 keeps an encoder's embeddings.

    Args:
        conf: the whole configuration.
        encoder: whose embeddings.
    """
    return Path(conf.data.root) / "embeddings" / f"{encoder.fingerprint[:12]}.safetensors"


def build_scorer(conf: Config) -> ClapScorer:
    """Builds the frozen scorer of the configuration."""
    return ClapScorer(conf.scorer.name)


def build_classifier(conf: Config) -> TimbreClassifier:
    """Builds an untrained timbre classifier of the training set's classes."""
    timbre = conf.timbre
    num_freqs = conf.filterbank.n_fft // 2 + 1
    return TimbreClassifier(_classes(conf), num_freqs, timbre.channels, timbre.num_layers)


def classifier_path(conf: Config) -> Path:
    """Says where stage 2 keeps the timbre classifier that it trained."""
    data = conf.data
    drawn = [data.n_src, data.n_mix, data.share, data.num_samples, data.sample_rate, data.gain]
    varied = [] if (data.speed, data.equaliser) == (1, 0) else [data.speed, data.equaliser]
    parts = [conf.timbre, conf.filterbank, conf.training.batch_size, conf.seed, *drawn, *varied]
    digest = hashlib.sha256(str(parts).encode()).hexdigest()[:12]
    return Path(conf.data.root) / "timbre" / f"{digest}.safetensors"


def build_loss(conf: Config) -> CompositeLoss:
    """Builds the weighted terms."""
    rebuilt = ("url", "crl", "consistency", "pit", "mixit", "absent")
    arguments = {
        **dict.fromkeys(rebuilt, lambda: _distance(conf, single=conf.data.n_src == 1)),
        "cnt": lambda: {
            "scorer": build_scorer(conf),
            "sample_rate": conf.data.sample_rate,
            "chunk_size": conf.scorer.chunk_size,
            "noise_floor": conf.scorer.noise_floor,
            "logit_scale": conf.scorer.logit_scale,
            "equal_above": conf.scorer.equal_above,
            "against_captions": conf.scorer.against_captions,
            "gather": conf.scorer.gather,
        },
        TIMBRE: lambda: {"classifier": TimbreClassifier.load(classifier_path(conf))},
        "timbre_joint": lambda: {"classifier": build_classifier(conf)},
        "cosep": lambda: {"classifier": build_classifier(conf)},
    }
    # In one order whatever the file's, so that the sum is the same to the last digit.
    weighted = {
        name: Weighted(make(**arguments.get(name, dict)()), term.weight, term.start)
        for name, make in TERMS.items()
        if (term := conf.loss.get(name))
    }
    return CompositeLoss(weighted, normalise=conf.training.normalise)


def build_clean_loss(conf: Config) -> CompositeLoss | None:
    """Builds the loss of single sources, mix-and-separate; None unless training has such."""
    if not conf.data.clean.share:
        return None
    clean = {"url": Weighted(URL(**_distance(conf, single=True)), conf.data.clean.weight)}
    return CompositeLoss(clean, normalise=conf.training.normalise)


def build_remix_loss(conf: Config) -> CompositeLoss | None:
    """Builds the loss of remixed estimates, mix-and-separate; None unless training has such."""
    if conf.remix.start is None:
        return None
    distance = DISTANCES[conf.remix.distance](reduction="none")
    remixed = {"url": Weighted(URL(distance), conf.remix.weight)}
    return CompositeLoss(remixed, normalise=conf.training.normalise)


def _distance(conf: Config, single: bool) -> dict[str, nn.Module]:
    """Builds the distance of single sources, or that of mixtures."""
    own = conf.training.single_distance if single else None
    return {"distance": DISTANCES[own or conf.training.distance](reduction="none")}


def build_system(conf: Config) -> BiModalSystem:
    """Builds everything that trains: model, loss, data, optimiser and schedule."""
    torch.manual_seed(conf.seed)
    model, loss = build_model(conf), build_loss(conf)
    if conf.training.checkpoint_activations and conf.separator == "bimodal_unet":
        model.masker.checkpoint_activations = True
    encoder = build_query_encoder(conf) if conf.query.test_encoder else None
    if encoder and encoder.pooled_dim != model.query_encoder.pooled_dim:
        raise ValueError(
            f"Expected query.encoder and query.test_encoder of one space, received one of "
            f"{encoder.pooled_dim} dimensions and one of {model.query_encoder.pooled_dim}: choose "
            "the pictures and the texts of the same CLIP."
        )
    trainable = [p for module in (model, loss) for p in module.parameters() if p.requires_grad]
    optimizer = make_optimizer(
        trainable,
        optimizer=conf.optim.optimizer,
        lr=conf.optim.lr,
        weight_decay=conf.optim.weight_decay,
    )
    return BiModalSystem(
        model=model,
        optimizer=optimizer,
        loss_func=loss,
        train_loader=build_train_loader(conf),
        val_loader=build_valid_loader(conf),
        scheduler=_build_schedule(conf, optimizer),
        config=OmegaConf.to_container(conf, resolve=True),
        clean_loss=build_clean_loss(conf),
        remix_loss=build_remix_loss(conf),
        remix_start=conf.remix.start or 0,
        labels=labels_of(conf),
        query_encoder=encoder,
        mean_captions=conf.query.captions == "mean",
        max_bad_steps=conf.training.max_bad_steps,
    )


def _classes(conf: Config) -> list[str]:
    labels = labels_of(conf)
    if not labels:
        raise ValueError(
            f"Expected clips with labels in {conf.data.root}/train.csv, which {conf.system} needs; "
            "found captions alone. Choose a system that reads them, such as bimodal_clap."
        )
    return labels


def _build_schedule(conf: Config, optimizer: torch.optim.Optimizer) -> dict | None:
    kind, epochs = conf.optim.schedule, conf.training.epochs
    builders = {
        "none": lambda: None,
        "step": lambda: {"scheduler": StepLR(optimizer, conf.optim.step_epochs, gamma=0.1)},
        "plateau": lambda: {"scheduler": ReduceLROnPlateau(optimizer, mode="max", factor=0.5)},
        "cosine": lambda: {"scheduler": _Cosine(optimizer, partial(_cosine, epochs=epochs))},
    }
    schedule = builders[kind]()
    return schedule and {"interval": "epoch", **schedule}


class _Cosine(LambdaLR):
    """Unlike CosineAnnealingLR, follows the number of epochs when a run is resumed with more."""

    def load_state_dict(self, state_dict: dict) -> None:
        super().load_state_dict(state_dict)
        for group, base, share in zip(
            self.optimizer.param_groups, self.base_lrs, self.lr_lambdas, strict=True
        ):
            group["lr"] = base * share(self.last_epoch)  # the checkpoint's may be the end's, 0


def _cosine(epoch: int, epochs: int) -> float:
    """Falls from 1 at the beginning to 0 at the end, and stays there."""
    return 0.5 * (1 + math.cos(math.pi * min(epoch / epochs, 1)))


def count_parameters(module: nn.Module) -> int:
    """Counts trainable parameters.

    Args:
        module: any module.

    Examples:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
