"""Training an experiment: configuration in, experiment folder out."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path

import asteroid
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from pytorch_lightning import loggers
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    Timer,
    TQDMProgressBar,
)
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import nn

from .. import __version__
from ..models.pretrained import check_fit, load_package
from ..utils.conf import leaf_keys, read_conf, save_conf
from ..utils.files import atomic_write
from ..utils.git import checkout_commit
from .build import build_system, count_parameters
from .schema import LOGGERS, Config, count_devices
from .skipped import SkippedClips
from .steadying import AveragedWeights, WarmUp
from .system import BiModalSystem

PROJECT = "asteroid_bimodal"  # where loggers group runs by project

# Options that say where a run takes place, not what it is.
_OF_MACHINE = {
    "data.root",
    "data.num_workers",
    "data.timeout",
    "data.max_skipped",
    "training.max_bad_steps",
    "training.accelerator",
    "training.devices",
    "training.num_nodes",
}


def train(conf: Config, exp_dir: str | Path, *, resume: bool = False) -> Path:
    """Trains a system and leaves its best model.

    What is finished stays as it is and what was interrupted goes on from its last epoch, as long as
    the configuration is the one that the folder was begun with.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
        resume: go on from `checkpoints/last.ckpt` also with another configuration, of more epochs
            for example.

    Returns:
        `<exp_dir>/best_model.pth`, chosen by validation SDR.

    Raises:
        FileExistsError: when another configuration was trained in the folder and `resume` is off.
        FileNotFoundError: when `resume` is on and there is nothing to resume from.
    """
    exp_dir = Path(exp_dir)
    best, last = exp_dir / "best_model.pth", exp_dir / "checkpoints" / "last.ckpt"
    begun = last.exists()
    if resume and not begun:
        raise FileNotFoundError(f"Expected {last} to resume from, found none.")
    if begun and not resume:
        _check_same(conf, exp_dir)
        if best.exists():
            print(f"{exp_dir} is trained already; --resume true with more epochs goes on.")
            return best
        print(f"{exp_dir} was interrupted and goes on from its last epoch.")
    pl.seed_everything(conf.seed, workers=True)
    system = build_system(conf)
    if conf.training.init and not begun:
        _load_weights(system.model, conf.training.init)
    trainer = build_trainer(conf, exp_dir)
    if trainer.is_global_zero:
        exp_dir.mkdir(parents=True, exist_ok=True)
        if not begun:  # what a run logged that left no checkpoint is no part of this one
            shutil.rmtree(exp_dir / "logs", ignore_errors=True)
        best.unlink(missing_ok=True)  # of fewer epochs; the checkpoints keep its weights
        save_conf(conf, exp_dir / "conf.yml")
    # Our checkpoints hold tensors and plain values: nothing is unpickled from them.
    trainer.fit(system, ckpt_path=str(last) if begun else None, weights_only=True)
    if trainer.is_global_zero:
        _export_best(trainer, system, best)
        _write_run(trainer, system, exp_dir)
    return best


def _check_same(conf: Config, exp_dir: Path) -> None:
    """Compares a configuration with the one that a folder was begun with.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.

    Raises:
        FileExistsError: naming what differs.
    """
    old, new = read_conf(exp_dir / "conf.yml"), OmegaConf.create(OmegaConf.to_container(conf))
    keys = [k for k in dict.fromkeys([*leaf_keys(old), *leaf_keys(new)]) if k not in _OF_MACHINE]
    changed = [key for key in keys if OmegaConf.select(old, key) != OmegaConf.select(new, key)]
    if changed:
        raise FileExistsError(
            f"{exp_dir} was trained already, with other values of {', '.join(changed[:5])}: choose "
            "another --tag, delete the folder, or go on in it with --resume true."
        )


def _load_weights(model: nn.Module, name: str) -> None:
    """Starts from the weights of a saved model of the same shape (`training.init`)."""
    state = load_package(name)["state_dict"]
    check_fit(model.state_dict(), state, name)
    model.train().load_state_dict(state)


def build_trainer(conf: Config, exp_dir: Path) -> pl.Trainer:
    """Builds Lightning's Trainer.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
    """
    training = conf.training
    devices = count_devices(training.devices, training.accelerator) * training.num_nodes
    return pl.Trainer(
        default_root_dir=exp_dir,
        max_epochs=training.epochs,
        accelerator=training.accelerator,
        devices=training.devices,
        num_nodes=training.num_nodes,
        # Early terms leave parts of the network without gradient.
        strategy="auto" if devices == 1 else "ddp_find_unused_parameters_true",
        precision=choose_precision(training.precision),
        gradient_clip_val=training.gradient_clipping,
        accumulate_grad_batches=training.accumulate,
        limit_val_batches=training.limit_val_batches,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=10,
        logger=_loggers(training.logger, exp_dir),
        callbacks=_callbacks(conf, exp_dir),
    )


def choose_precision(precision: str) -> str:
    """Resolves "auto": bf16-mixed where the device computes in bfloat16, else 32.

    Args:
        precision: what Lightning's Trainer takes, or "auto".

    Examples:
        >>> choose_precision("32")
        '32'
    """
    if precision != "auto":
        return str(precision)
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32"
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # not in every torch
    return "bf16-mixed" if capabilities.get("avx512_bf16") else "32"


def _loggers(name: str, exp_dir: Path) -> list[Logger]:
    """The CSV that the report reads, and the logger that was asked for beside it."""
    # A resumed run logs to a folder of its own; the report joins them.
    found: list[Logger] = [CSVLogger(exp_dir, name="logs")]
    run = exp_dir.resolve().name
    arguments = {
        "tensorboard": lambda: {"save_dir": exp_dir, "name": "tensorboard"},
        "wandb": lambda: {"save_dir": exp_dir, "project": PROJECT, "name": run},
        "mlflow": lambda: {
            "save_dir": str(exp_dir / "mlflow"),
            "experiment_name": PROJECT,
            "run_name": run,
        },
        "comet": lambda: {"project": PROJECT, "name": run},
        "neptune": lambda: {"name": run},
    }
    if name != "csv":
        found.append(getattr(loggers, LOGGERS[name][0])(**arguments[name]()))
    return found


def _callbacks(conf: Config, exp_dir: Path) -> list[Callback]:
    minutes = conf.training.max_minutes
    callbacks: list[Callback] = [
        ModelCheckpoint(
            exp_dir / "checkpoints",
            filename="{epoch}-{val_sdr:.2f}",
            monitor="val_sdr",
            mode="max",
        ),
        # Its own callback: `save_last` only renews last.ckpt when an epoch is the best so far.
        ModelCheckpoint(exp_dir / "checkpoints", filename="last", enable_version_counter=False),
        LearningRateMonitor("epoch"),
        TQDMProgressBar(refresh_rate=1 if sys.stderr.isatty() else 20),
        SkippedClips(exp_dir, conf.data.max_skipped),
        # Goes on counting where a resumed run was stopped.
        Timer({"minutes": minutes} if minutes else None),
    ]
    if conf.optim.warmup_steps:
        callbacks.append(WarmUp(conf.optim.warmup_steps))
    if conf.training.ema:
        callbacks.append(AveragedWeights(conf.training.ema))
    if conf.training.patience:
        callbacks.append(EarlyStopping("val_sdr", patience=conf.training.patience, mode="max"))
    return callbacks


def _export_best(trainer: pl.Trainer, system: BiModalSystem, path: Path) -> None:
    """Saves the best epoch's model in Asteroid's format."""
    best = trainer.checkpoint_callback.best_model_path
    if not best:
        raise ValueError(
            "Expected an epoch that was trained and validated, found none. Raise data.epoch_size, "
            "which has to fill a batch in each process, or training.max_minutes."
        )
    state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    system.load_state_dict(state)
    with atomic_write(path) as temporary:
        torch.save(system.model.cpu().serialize(), temporary)


def _write_run(trainer: pl.Trainer, system: BiModalSystem, exp_dir: Path) -> None:
    """Records what ran: command, commit, versions, device, time, size."""
    timer = next(c for c in trainer.callbacks if isinstance(c, Timer))
    device = trainer.strategy.root_device
    cuda = device.type == "cuda"
    best = trainer.checkpoint_callback.best_model_score
    run = {
        "command": " ".join(sys.argv),
        "commit": checkout_commit(Path(__file__).parent),
        "versions": {
            "asteroid_bimodal": __version__,
            "asteroid": asteroid.__version__,
            "torch": torch.__version__,
            "pytorch_lightning": pl.__version__,
            "python": platform.python_version(),
        },
        "device": torch.cuda.get_device_name(device) if cuda else f"CPU, {os.cpu_count()} cores",
        "num_devices": trainer.num_devices * trainer.num_nodes,
        "minutes": round(timer.time_elapsed() / 60, 2),
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "bad_steps": system.guard.count,
        "parameters": count_parameters(system.model),
        "best_val_sdr": None if best is None else float(best),
    }
    with atomic_write(exp_dir / "run.json") as temporary:
        temporary.write_text(json.dumps(run, indent=2))
