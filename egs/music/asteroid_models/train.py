"""Trains Asteroid's ConvTasNet through Asteroid's System; `local/conf.yml` lists the options."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import assigned
import film
import pytorch_lightning as pl
import torch
from asteroid.engine.optimizers import make_optimizer
from asteroid.engine.system import System
from asteroid.losses import multisrc_neg_snr
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from asteroid_bimodal.data.batches import Batch, Example, collate
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.manifest import by_label, read_manifest
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.utils.asteroid_compat import with_plain_versions
from asteroid_bimodal.utils.conf import load_conf, save_conf
from asteroid_bimodal.utils.files import atomic_write

RECIPE = Path(__file__).parent
VARIANTS = {"film": film.build, "assigned": assigned.build}


class FreshDraws(pl.Callback):
    """Tells the data set which epoch it is, which Asteroid's System does not."""

    def on_train_epoch_end(self, trainer: pl.Trainer, system: System) -> None:
        """Lets the next epoch draw other mixtures."""
        trainer.train_dataloader.dataset.epoch = trainer.current_epoch + 1


def build_loader(
    conf: DictConfig, split: str, to_pair: Callable[[Batch], tuple], n_src: int
) -> DataLoader:
    """Builds a loader of (inputs, targets).

    Args:
        conf: the whole configuration.
        split: train or valid.
        to_pair: turns a batch into inputs and targets.
        n_src: sources in each natural mixture.
    """
    data = conf.data
    dataset = LabelledMixtures(
        Path(data.root) / f"{split}.csv",
        sample_rate=data.sample_rate,
        num_samples=data.num_samples,
        num_sources=n_src,
        num_mixtures=data.n_mix,
        epoch_size=data.epoch_size if split == "train" else data.valid_size,
        prompt=data.prompt,
        seed=conf.seed,
    )
    return DataLoader(
        dataset,
        batch_size=conf.training.batch_size,
        collate_fn=partial(_collate, to_pair=to_pair),
        num_workers=data.num_workers,
        drop_last=split == "train",
    )


def _collate(examples: list[Example], to_pair: Callable[[Batch], tuple]) -> tuple:
    return to_pair(collate(examples))


@torch.no_grad()
def evaluate(system: System, loader: DataLoader) -> dict[str, float]:
    """Measures the loss, and how well the mixtures are rebuilt.

    Args:
        system: with model and loss.
        loader: of always the same examples.

    Returns:
        `loss`; `snr` of the estimated mixtures in dB; `half_snr`, that of half of the input.
    """
    system.eval()
    rows = []
    for inputs, targets in loader:
        est, mixtures = system(inputs), targets[0]
        half = mixtures.sum(1, keepdim=True).expand_as(mixtures) / 2
        loss = system.loss_func(est, targets)
        remixed = system.loss_func.remix(est, targets)
        ratios = [-multisrc_neg_snr(signal, mixtures).mean() for signal in (remixed, half)]
        rows.append(torch.stack([loss, *ratios]))
    system.train()
    means = torch.stack(rows).mean(0).tolist()
    return dict(zip(("loss", "snr", "half_snr"), means, strict=True))


def train(conf: DictConfig, exp_dir: Path) -> dict:
    """Trains, and writes `conf.yml`, `best_model.pth` and `result.json`.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.

    Returns:
        What `result.json` holds: scores on validation mixtures and, as `separation`, on mixtures of
        single sources, before and after.
    """
    if conf.variant not in VARIANTS:
        raise ValueError(f"Expected a variant of {', '.join(VARIANTS)}, received {conf.variant!r}.")
    pl.seed_everything(conf.seed, workers=True)
    labels = list(by_label(read_manifest(Path(conf.data.root) / "train.csv")))
    variant = VARIANTS[conf.variant](conf, labels)
    val_loader = build_loader(conf, "valid", variant.valid_pair, conf.data.n_src)
    system = variant.system(
        model=variant.model,
        optimizer=make_optimizer(variant.model.parameters(), "adam", lr=conf.optim.lr),
        loss_func=variant.loss,
        train_loader=build_loader(conf, "train", variant.train_pair, conf.data.n_src),
        val_loader=val_loader,
        config=OmegaConf.to_container(conf),
    )
    loaders = {
        "mixtures": val_loader,
        "separation": build_loader(conf, "valid", variant.valid_pair, n_src=1),
    }
    before = {name: evaluate(system, loader) for name, loader in loaders.items()}
    trainer = build_trainer(conf, exp_dir)
    trainer.fit(system)
    after = {name: evaluate(system, loader) for name, loader in loaders.items()}
    result = {"labels": labels, "steps": trainer.global_step, "before": before, "after": after}
    save_conf(conf, exp_dir / "conf.yml")
    with atomic_write(exp_dir / "best_model.pth") as temporary:
        torch.save(with_plain_versions(variant.model.serialize()), temporary)
    with atomic_write(exp_dir / "result.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2))
    return result


def build_trainer(conf: DictConfig, exp_dir: Path) -> pl.Trainer:
    """Builds Lightning's Trainer.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
    """
    return pl.Trainer(
        default_root_dir=exp_dir,
        max_epochs=conf.training.epochs,
        accelerator=conf.training.accelerator,
        devices=1,
        gradient_clip_val=conf.training.gradient_clipping,
        logger=CSVLogger(exp_dir, name="logs"),
        callbacks=[FreshDraws()],
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )


def main(options: list[str]) -> None:
    """Reads the configuration, trains, and prints the scores."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, required=True)
    args, rest = parser.parse_known_args(options)
    conf = load_conf([RECIPE / "local/conf.yml"], rest)
    if not Path(conf.data.root).is_absolute():
        conf.data.root = os.path.relpath(RECIPE / conf.data.root)
    result = train(conf, args.exp_dir)
    for when in ("before", "after"):
        for kind, scores in result[when].items():
            print(when, kind, *(f"{name} {value:.2f}" for name, value in scores.items()))


if __name__ == "__main__":
    run_script(main)
