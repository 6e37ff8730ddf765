"""Training an experiment: configuration in, experiment folder out."""

from __future__ import annotations

import json
import math
import platform
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import asteroid
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities import rank_zero_only
from torch import nn

from .. import __version__
from ..metrics import write_json
from ..models.pretrained import check_fit, load_package
from ..utils.checkpoints import is_whole, read_tensors
from ..utils.conf import leaf_keys, read_conf, save_conf
from ..utils.files import atomic_write, remove_unfinished
from ..utils.git import checkout_commit
from ..utils.ledger import lock_file
from .build import build_system, count_parameters
from .checkpoints import FOLDER, LAST, Checkpoints, find_checkpoint, list_checkpoints, say
from .progress import device_name, duration, show
from .quiet import quiet_lightning
from .schema import Config, count_processes
from .step_size import StepSize
from .system import BiModalSystem
from .tasks import check_tasks
from .trainer import build_trainer

BEST, CONF, RUN = "best_model.pth", "conf.yml", "run.json"
BEST_K = "best_k_models.json"  # as Asteroid's recipes call it

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
    "training.checkpoint_minutes",
    "training.checkpoint_activations",
}


@quiet_lightning()
def train(conf: Config, exp_dir: str | Path, *, resume: bool = False) -> Path:
    """Trains a system and leaves its best model.

    What is finished stays as it is and what was interrupted goes on from its newest checkpoint, as
    long as the configuration is the one that the folder was begun with. Nothing in the folder is
    replaced before its replacement is whole.

    Args:
        conf: the whole configuration.
        exp_dir: folder of the experiment.
        resume: go on also with another configuration, of more epochs for example.

    Returns:
        `<exp_dir>/best_model.pth`, chosen by validation SDR.

    Raises:
        FileExistsError: when another configuration was trained in the folder and `resume` is off.
        FileNotFoundError: when `resume` is on and there is nothing to resume from.
        BlockingIOError: when another run trains in the folder.
        ValueError: when no checkpoint can be read, the newest does not fit the configuration, or
            there are more or fewer tasks of the job than devices.
        StopSignal: when a signal ended it, after a checkpoint.
    """
    check_tasks(count_processes(conf), conf.training.num_nodes)
    exp_dir = Path(exp_dir)
    best = exp_dir / BEST
    if resume and not list_checkpoints(exp_dir):
        raise FileNotFoundError(f"Expected {exp_dir / FOLDER / LAST} to resume from, found none.")
    if not resume and _is_finished(conf, exp_dir):
        say(f"{exp_dir} is trained already; --resume true with more epochs goes on.")
        return best
    pl.seed_everything(conf.seed, workers=True)
    system = build_system(conf)
    if conf.training.init and not list_checkpoints(exp_dir):
        _load_weights(system.model, conf.training.init)
    with _lock(exp_dir):
        checkpoint = find_checkpoint(exp_dir, system)
        if checkpoint and not resume:
            say(f"{exp_dir} was interrupted and goes on from {checkpoint.name}.")
        trainer = build_trainer(conf, exp_dir, resume=resume)
        checkpoints = trainer.checkpoint_callback
        if trainer.is_global_zero:
            _begin(conf, exp_dir, fresh=checkpoint is None)
        try:
            _fit(trainer, system, checkpoint)
            if trainer.is_global_zero:
                _export_best(checkpoints, system, best)
                _write_best_k(checkpoints, exp_dir)
                _write_run(trainer, system, exp_dir)
                _say_end(trainer, best)
            checkpoints.stop.obey()
        finally:
            checkpoints.stop.end()
    return best


def _is_finished(conf: Config, exp_dir: Path) -> bool:
    """Whether training of this configuration has ended; raises FileExistsError for another one."""
    best, checkpoints = exp_dir / BEST, list_checkpoints(exp_dir)
    if best.exists() or checkpoints:
        _check_same(conf, exp_dir)
    if is_whole(best) and (exp_dir / RUN).exists():
        return True
    if best.exists() and not checkpoints:
        raise FileExistsError(
            f"{best} is there without a checkpoint to go on from: choose another --tag, or move it."
        )
    return False


def _lock(exp_dir: Path) -> AbstractContextManager:
    """Keeps other runs out of the folder, for as long as this process lives at most."""
    if rank_zero_only.rank:
        return nullcontext()
    try:
        return lock_file(exp_dir / FOLDER / ".lock")
    except BlockingIOError as error:
        raise BlockingIOError(
            f"Another run trains in {exp_dir}: wait for its end, or choose another --tag."
        ) from error


def _begin(conf: Config, exp_dir: Path, fresh: bool) -> None:
    """Makes the folder ready to be trained in; what tells that it was, run.json, goes first."""
    (exp_dir / RUN).unlink(missing_ok=True)
    if fresh:  # what a run logged that left no checkpoint is no part of this one
        shutil.rmtree(exp_dir / "logs", ignore_errors=True)
    for folder, suffix in ((exp_dir / FOLDER, ".ckpt"), (exp_dir, ".pth"), (exp_dir, ".yml")):
        remove_unfinished(folder, suffix)
    save_conf(conf, exp_dir / CONF)


def _fit(trainer: pl.Trainer, system: BiModalSystem, checkpoint: Path | None) -> None:
    stop = trainer.checkpoint_callback.stop
    try:
        # Our checkpoints hold tensors and plain values: nothing is unpickled from them.
        trainer.fit(system, ckpt_path=checkpoint, weights_only=True)
    except (Exception, SystemExit):
        stop.obey()
        raise


def _check_same(conf: Config, exp_dir: Path) -> None:
    """Raises FileExistsError, which names what differs from what the folder was begun with."""
    if not (exp_dir / CONF).exists():
        raise FileNotFoundError(
            f"{exp_dir} holds a training but no {CONF} that says of what: put the file back, or go "
            "on with --resume true and the options that training began with."
        )
    old, new = read_conf(exp_dir / CONF), OmegaConf.create(OmegaConf.to_container(conf))
    keys = [k for k in dict.fromkeys([*leaf_keys(old), *leaf_keys(new)]) if k not in _OF_MACHINE]
    changed = [key for key in keys if OmegaConf.select(old, key) != OmegaConf.select(new, key)]
    if changed:
        raise FileExistsError(
            f"{exp_dir} was trained already, with other values of {', '.join(changed[:5])}: choose "
            "another --tag, delete the folder, or go on in it with --resume true."
        )


def _load_weights(model: nn.Module, name: str) -> None:
    """Starts from the weights of a saved model of the same shape (`training.init`)."""
    package = load_package(name)
    model.origin = package.get("origin")
    # What a tagger hears is calibrated with the masks of its own model.
    state = {k: v for k, v in package["state_dict"].items() if not k.startswith("tagger.")}
    check_fit(model.state_dict(), state, name)
    model.train().load_state_dict(state)


def _export_best(checkpoints: Checkpoints, system: BiModalSystem, path: Path) -> None:
    """Saves the best epoch's model in Asteroid's format."""
    source = checkpoints.folder / (checkpoints.best or LAST)
    if not source.exists():
        raise ValueError(
            "Expected an epoch that was trained and validated, found none. Raise data.epoch_size, "
            "which has to fill a batch in each process, or training.max_minutes."
        )
    system.load_state_dict(read_tensors(source)["state_dict"])
    with atomic_write(path) as temporary:
        torch.save(system.model.cpu().serialize(), temporary)


def _write_best_k(checkpoints: Checkpoints, exp_dir: Path) -> None:
    """Writes the kept checkpoints of best epochs, one, with their validation SDR."""
    known = checkpoints.best and math.isfinite(checkpoints.score)
    best = {f"{FOLDER}/{checkpoints.best}": checkpoints.score} if known else {}
    write_json(best, exp_dir / BEST_K)


def _say_end(trainer: pl.Trainer, best: Path) -> None:
    timer = next(c for c in trainer.callbacks if isinstance(c, Timer))
    done, wanted, left = trainer.current_epoch, trainer.max_epochs, timer.time_remaining()
    limit = "max_minutes" if left is not None and left <= 0 else "patience"
    share = f" of {wanted} (training.{limit} ended it)" if done < wanted else ""
    show(f"Trained {done}{share} epochs in {duration(timer.time_elapsed())}: {best}")


def _write_run(trainer: pl.Trainer, system: BiModalSystem, exp_dir: Path) -> None:
    """Records what ran: command, commit, versions, device, time, size."""
    timer = next(c for c in trainer.callbacks if isinstance(c, Timer))
    step = next(c for c in trainer.callbacks if isinstance(c, StepSize))
    score = trainer.checkpoint_callback.score
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
        "device": device_name(trainer),
        "num_devices": trainer.num_devices * trainer.num_nodes,
        "step_examples": step.examples,
        "minutes": round(timer.time_elapsed() / 60, 2),
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "bad_steps": system.guard.count,
        "parameters": count_parameters(system.model),
        "best_val_sdr": score if math.isfinite(score) else None,
    }
    with atomic_write(exp_dir / RUN) as temporary:
        temporary.write_text(json.dumps(run, indent=2))
