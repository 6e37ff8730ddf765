"""Configuration to objects: the only place that maps names to classes."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import torch
from asteroid.engine.optimizers import make_optimizer
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader

from ..data.batches import collate
from ..data.datasets import LabelledMixtures, PinnedMixtures
from ..losses.composite import (
    CaptionReconstruction,
    CompositeLoss,
    PhraseReconstruction,
    PhraseSimilarity,
)
from ..models import BiModalUNet
from ..queries import ClapTextEncoder
from ..scorers import ClapScorer
from .system import BiModalSystem


def build_model(conf: DictConfig) -> BiModalUNet:
    """Builds the separator with its query encoder.

    Args:
        conf: the whole configuration.
    """
    encoder = build_query_encoder(conf)
    model = BiModalUNet(
        sample_rate=conf.data.sample_rate,
        query_encoder=encoder,
        cond_dim=encoder.token_dim,
        pooled_dim=encoder.pooled_dim,
        **conf.filterbank,
        **conf.masker,
    )
    # Convolutions are faster this way, on CPUs and on GPUs.
    return model.to(memory_format=torch.channels_last)


def build_query_encoder(conf: DictConfig) -> ClapTextEncoder:
    """Builds the frozen query encoder, with the embeddings that stage 2 wrote.

    Args:
        conf: the whole configuration.
    """
    encoder = ClapTextEncoder(conf.query.encoder)
    encoder.cache.load(embeddings_path(conf, encoder), encoder.fingerprint)
    return encoder


def embeddings_path(conf: DictConfig, encoder: ClapTextEncoder) -> Path:
    """Says where stage 2 keeps an encoder's embeddings.

    Args:
        conf: the whole configuration.
        encoder: whose embeddings.
    """
    return Path(conf.data.root) / "embeddings" / f"{encoder.fingerprint[:12]}.safetensors"


def build_scorer(conf: DictConfig) -> ClapScorer:
    """Builds the frozen scorer of the configuration.

    Args:
        conf: the whole configuration.
    """
    return ClapScorer(conf.scorer.name)


def build_loss(conf: DictConfig) -> CompositeLoss:
    """Builds the weighted terms.

    Args:
        conf: the whole configuration.

    Raises:
        ValueError: for a term that does not exist.
    """
    builders = {
        "url": lambda: CaptionReconstruction(),
        "crl": lambda: PhraseReconstruction(),
        "cnt": lambda: PhraseSimilarity(
            build_scorer(conf),
            conf.data.sample_rate,
            conf.scorer.chunk_size,
            conf.scorer.noise_floor,
        ),
    }
    unknown = [name for name in conf.loss.terms if name not in builders]
    if unknown:
        raise ValueError(f"Expected loss terms of {', '.join(builders)}, received {unknown[0]!r}.")
    return CompositeLoss(
        {name: builders[name]() for name in conf.loss.terms},
        conf.loss.weights,
        start=conf.loss.start,
        normalise=conf.loss.normalise,
    )


def build_train_loader(conf: DictConfig) -> DataLoader:
    """Builds the loader of training mixtures.

    Args:
        conf: the whole configuration.
    """
    data = conf.data
    dataset = LabelledMixtures(
        Path(data.root) / "train.csv",
        sample_rate=data.sample_rate,
        num_samples=data.num_samples,
        num_sources=data.n_src,
        num_mixtures=data.n_mix,
        epoch_size=data.epoch_size,
        gain=tuple(data.gain),
        prompt=[data.prompt, *data.more_prompts],
        caption=data.caption,
        seed=conf.seed,
    )
    return DataLoader(
        dataset,
        batch_size=conf.training.batch_size,
        collate_fn=collate,
        num_workers=data.num_workers,
        drop_last=True,
    )


def build_test_set(
    conf: DictConfig, split: str, n_src: int, limit: int | None = None
) -> PinnedMixtures:
    """Builds the pinned mixtures of a split.

    Args:
        conf: the whole configuration.
        split: valid or test.
        n_src: sources per mixture.
        limit: use the first items only.

    Raises:
        FileNotFoundError: when the list was not drawn yet.
    """
    root = Path(conf.data.root)
    return PinnedMixtures(
        find_test_list(root, split, n_src),
        root,
        sample_rate=conf.data.sample_rate,
        num_samples=conf.data.eval_samples,
        prompt=conf.data.prompt,
        limit=limit,
    )


def find_test_list(root: Path, split: str, n_src: int) -> Path:
    """Finds the pinned list of a split, written by stage 1.

    Args:
        root: folder of the data set.
        split: valid or test.
        n_src: sources per mixture.

    Raises:
        FileNotFoundError: when there is none or more than one.
    """
    found = sorted((root / "lists").glob(f"{split}_{n_src}src_*.csv"))
    if len(found) != 1:
        raise FileNotFoundError(
            f"Expected one list {root}/lists/{split}_{n_src}src_*.csv, found {len(found)}. "
            "Run stage 1."
        )
    return found[0]


def build_system(conf: DictConfig) -> BiModalSystem:
    """Builds everything that trains: model, loss, data, optimiser and schedule.

    Args:
        conf: the whole configuration.
    """
    torch.manual_seed(conf.seed)
    model = build_model(conf)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = make_optimizer(
        trainable,
        optimizer=conf.optim.optimizer,
        lr=conf.optim.lr,
        weight_decay=conf.optim.weight_decay,
    )
    val_loader = DataLoader(build_test_set(conf, "valid", 2), batch_size=8, collate_fn=list)
    return BiModalSystem(
        model=model,
        optimizer=optimizer,
        loss_func=build_loss(conf),
        train_loader=build_train_loader(conf),
        val_loader=val_loader,
        scheduler=_build_schedule(conf, optimizer),
        config=OmegaConf.to_container(conf, resolve=True),
    )


def _build_schedule(conf: DictConfig, optimizer: torch.optim.Optimizer) -> dict | None:
    kind, epochs = conf.optim.schedule, conf.training.epochs
    builders = {
        "none": lambda: None,
        "step": lambda: {"scheduler": StepLR(optimizer, conf.optim.step_epochs, gamma=0.1)},
        "plateau": lambda: {"scheduler": ReduceLROnPlateau(optimizer, mode="max", factor=0.5)},
        # Unlike CosineAnnealingLR, it follows the number of epochs when a run is resumed with more.
        "cosine": lambda: {"scheduler": LambdaLR(optimizer, partial(_cosine, epochs=epochs))},
    }
    if kind not in builders:
        raise ValueError(f"Expected a schedule of {', '.join(builders)}, received {kind!r}.")
    schedule = builders[kind]()
    return schedule and {"interval": "epoch", **schedule}


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
