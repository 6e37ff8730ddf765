"""Lightning's Trainer of a configuration: devices, precision, loggers, callbacks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning import loggers
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    Timer,
    TQDMProgressBar,
)
from pytorch_lightning.loggers import CSVLogger, Logger

from .checkpoints import FOLDER, Checkpoints, WholeFiles
from .listening import SENDERS, Listening
from .progress import Progress
from .schema import LOGGERS, Config, count_processes, step_examples
from .skipped import SkippedClips
from .steadying import AveragedWeights, WarmUp
from .step_size import StepSize
from .sync_norm import SyncNorms
from .tasks import find_environment

PROJECT = "asteroid_bimodal"  # where loggers group runs by project


def build_trainer(conf: Config, exp_dir: Path, *, resume: bool = False) -> pl.Trainer:
    """Builds Lightning's Trainer.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
        resume: whether training that had ended goes on.
    """
    training = conf.training
    processes = count_processes(conf)
    on_gpus = training.accelerator != "cpu" and torch.cuda.is_available()
    sync, environment = training.sync_batchnorm and processes > 1, find_environment()
    plugins: list[Any] = [WholeFiles(), *([environment] if environment else [])]
    if sync and not on_gpus:
        plugins.append(SyncNorms())
    return pl.Trainer(
        default_root_dir=exp_dir,
        max_epochs=training.epochs,
        accelerator=training.accelerator,
        devices=training.devices,
        num_nodes=training.num_nodes,
        # Early terms leave parts of the network without gradient.
        strategy="auto" if processes == 1 else "ddp_find_unused_parameters_true",
        precision=choose_precision(training.precision),
        gradient_clip_val=training.gradient_clipping,
        accumulate_grad_batches=training.accumulate,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=_bars(),
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=10,
        logger=_loggers(training.logger, exp_dir),
        callbacks=_callbacks(conf, exp_dir, resume),
        sync_batchnorm=sync and on_gpus,
        plugins=plugins,
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


class _Rows(CSVLogger):
    """Writes no row twice: `Checkpoints` logs an epoch's means first, and Lightning again."""

    _last: tuple[dict[str, Any], int | None] | None = None

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        row = ({name: value for name, value in metrics.items() if name != "epoch"}, step)
        if row != self._last:
            super().log_metrics(metrics, step)
        self._last = row


def _loggers(name: str, exp_dir: Path) -> list[Logger]:
    """The CSV that the report reads, and the logger that was asked for beside it."""
    # A resumed run logs to a folder of its own; the report joins them.
    found: list[Logger] = [_Rows(exp_dir, name="logs")]
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


def _bars() -> bool:
    """Whether progress bars are drawn: on terminals alone."""
    return sys.stdout.isatty()


def _callbacks(conf: Config, exp_dir: Path, resume: bool) -> list[Callback]:
    training = conf.training
    minutes = training.max_minutes
    callbacks: list[Callback] = [
        # Before the bar, for which the first process alone waits for figures of the others.
        SkippedClips(exp_dir, conf.data.max_skipped),
        Checkpoints(exp_dir / FOLDER, training.checkpoint_minutes, resume),
        StepSize(step_examples(conf)),
        LearningRateMonitor("epoch"),
        Progress(conf),
        # Goes on counting where a resumed run was stopped.
        Timer({"minutes": minutes} if minutes else None),
    ]
    if _bars():
        callbacks.append(TQDMProgressBar())
    if send := SENDERS.get(training.logger):
        callbacks.append(Listening(send, conf.data.sample_rate))
    if conf.optim.warmup_steps:
        callbacks.append(WarmUp(conf.optim.warmup_steps))
    if training.ema:
        callbacks.append(AveragedWeights(training.ema))
    if training.patience:
        callbacks.append(EarlyStopping("val_sdr", patience=training.patience, mode="max"))
    return callbacks
