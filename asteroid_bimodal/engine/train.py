"""Training an experiment: configuration in, experiment folder out."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

import asteroid
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from .. import __version__
from ..utils.conf import save_conf
from ..utils.files import atomic_write
from .build import build_system, count_parameters
from .system import BiModalSystem


def train(conf: DictConfig, exp_dir: str | Path, *, resume: bool = False) -> Path:
    """Trains a system and leaves its best model.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
        resume: go on from `checkpoints/last.ckpt`.

    Returns:
        `<exp_dir>/best_model.pth`, chosen by validation SDR.

    Raises:
        FileExistsError: when the folder holds checkpoints and `resume` is off.
        FileNotFoundError: when there is nothing to resume from.
    """
    exp_dir = Path(exp_dir)
    last = exp_dir / "checkpoints" / "last.ckpt"
    if last.exists() and not resume:
        raise FileExistsError(
            f"{exp_dir} was trained already: resume it with --resume true, choose another --tag, "
            "or delete the folder."
        )
    if resume and not last.exists():
        raise FileNotFoundError(f"Expected {last} to resume from, found none.")
    pl.seed_everything(conf.seed, workers=True)
    system = build_system(conf)
    trainer = build_trainer(conf, exp_dir)
    if trainer.is_global_zero:
        exp_dir.mkdir(parents=True, exist_ok=True)
        if not resume:  # what a run logged that left no checkpoint is no part of this one
            shutil.rmtree(exp_dir / "logs", ignore_errors=True)
        save_conf(conf, exp_dir / "conf.yml")
    started = time.time()
    # Our checkpoints hold tensors and plain values: nothing is unpickled from them.
    trainer.fit(system, ckpt_path=str(last) if resume else None, weights_only=True)
    _write_skipped(system, exp_dir, trainer.global_rank)
    best = exp_dir / "best_model.pth"
    if trainer.is_global_zero:
        _export_best(trainer, system, best)
        _write_run(trainer, system, exp_dir, time.time() - started)
    return best


def build_trainer(conf: DictConfig, exp_dir: Path) -> pl.Trainer:
    """Builds Lightning's Trainer.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
    """
    training = conf.training
    minutes = training.max_minutes
    devices = count_devices(training.devices, training.accelerator) * training.num_nodes
    return pl.Trainer(
        default_root_dir=exp_dir,
        max_epochs=training.epochs,
        max_time={"minutes": minutes} if minutes else None,
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


def count_devices(devices: str, accelerator: str) -> int:
    """Counts the devices that each node trains on.

    Args:
        devices: a number, "auto" or "-1" for all, or GPU ids such as "0,1".
        accelerator: cpu, gpu or auto.

    Raises:
        ValueError: for another text.

    Examples:
        >>> count_devices("2", "cpu"), count_devices("0,2,3", "gpu")
        (2, 3)
    """
    if devices in ("auto", "-1"):
        return 1 if accelerator == "cpu" else max(1, torch.cuda.device_count())
    ids = [part.strip() for part in devices.split(",") if part.strip()]
    if not ids or not all(part.isdigit() for part in ids):
        raise ValueError(f"Expected devices such as 2, 0,1 or auto; received {devices!r}.")
    return len(ids) if "," in devices else int(devices)


def _loggers(kind: str, exp_dir: Path) -> list[Logger]:
    if kind not in ("csv", "tensorboard"):
        raise ValueError(f"Expected a logger of csv, tensorboard; received {kind!r}.")
    # A resumed run logs to a folder of its own; the report joins them.
    loggers: list[Logger] = [CSVLogger(exp_dir, name="logs")]
    if kind == "tensorboard":
        loggers.append(TensorBoardLogger(exp_dir, name="tensorboard"))
    return loggers


def _callbacks(conf: DictConfig, exp_dir: Path) -> list[Callback]:
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
    ]
    if conf.training.patience:
        callbacks.append(EarlyStopping("val_sdr", patience=conf.training.patience, mode="max"))
    return callbacks


def _export_best(trainer: pl.Trainer, system: BiModalSystem, path: Path) -> None:
    """Saves the best epoch's model in Asteroid's format."""
    best = trainer.checkpoint_callback.best_model_path
    state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    system.load_state_dict(state)
    with atomic_write(path) as temporary:
        torch.save(system.model.cpu().serialize(), temporary)


def _write_skipped(system: BiModalSystem, exp_dir: Path, rank: int) -> None:
    """Lists the clips that training could not use, with how often each was asked for."""
    name = f"skipped_{rank}.csv" if rank else "skipped.csv"
    with atomic_write(exp_dir / name) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason", "times"])
        writer.writerows((path, why, n) for (path, why), n in sorted(system.skipped.items()))
    if system.skipped:
        print(f"Skipped {len(system.skipped)} unusable clips, listed in {exp_dir / name}.")


def _write_run(trainer: pl.Trainer, system: BiModalSystem, exp_dir: Path, seconds: float) -> None:
    """Records what ran: command, versions, device, time, size."""
    device = trainer.strategy.root_device
    cuda = device.type == "cuda"
    best = trainer.checkpoint_callback.best_model_score
    run = {
        "command": " ".join(sys.argv),
        "versions": {
            "asteroid_bimodal": __version__,
            "asteroid": asteroid.__version__,
            "torch": torch.__version__,
            "pytorch_lightning": pl.__version__,
            "python": platform.python_version(),
        },
        "device": torch.cuda.get_device_name(device) if cuda else f"CPU, {os.cpu_count()} cores",
        "num_devices": trainer.num_devices * trainer.num_nodes,
        "minutes": round(seconds / 60, 2),
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "parameters": count_parameters(system.model),
        "best_val_sdr": None if best is None else float(best),
    }
    with atomic_write(exp_dir / "run.json") as temporary:
        temporary.write_text(json.dumps(run, indent=2))
