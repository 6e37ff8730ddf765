"""What a recipe's configuration may hold: keys, types, choices, ranges, and what fits together.

Each dataclass is a section. The values, and what each key means, are in egs/music/local/conf.yml.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from asteroid.engine import optimizers

from ..losses.reconstruction import DISTANCES
from ..losses.terms import TERMS
from ..masknn.cond_levels import COND_LAYERS
from ..utils.conf import key

# Of each logger its class in pytorch_lightning.loggers and the package that it needs.
LOGGERS = {
    "csv": ("CSVLogger", "csv"),
    "tensorboard": ("TensorBoardLogger", "tensorboard"),
    "wandb": ("WandbLogger", "wandb"),
    "mlflow": ("MLFlowLogger", "mlflow"),
    "comet": ("CometLogger", "comet_ml"),
    "neptune": ("NeptuneLogger", "neptune"),
}
OPTIMIZERS = [name.lower() for name in optimizers.__all__ if name not in ("make_optimizer", "get")]
SEPARATORS = ("audiosep", "bimodal_unet", "clipsep", "lassnet", "light_bimodal_unet")
PRECISIONS = ("auto", "32", "16-mixed", "bf16-mixed")
_NEAR_PRECISIONS = {"fp16": "16-mixed", "16": "16-mixed", "bf16": "bf16-mixed", "fp32": "32"}


@dataclass
class Clean:
    share: float = key(low=0, high=1)
    root: str | None = key()
    shards: str | None = key(default=None)
    weight: float = key(above=0)


@dataclass
class Data:
    name: str = key()
    root: str = key()
    rendered: bool = key()
    takes: dict[str, int] = key(names=("train", "valid", "test"), low=1)
    take_seconds: list[float] = key(above=0)
    sample_rate: int = key(low=1)
    num_samples: int = key(low=1)
    eval_samples: int = key(low=1)
    n_src: int = key(low=1)
    max_n_src: int | None = key(low=1)
    n_mix: int = key(low=1)
    centred: bool = key()
    share: float = key(above=0, high=1)
    clean: Clean = field(default_factory=Clean)
    frames: bool = key()
    num_absent: int = key(low=0)
    shards: str | None = key()
    epoch_size: int = key(low=1)
    gain: list[float] = key(low=0)
    speed: float = key(low=1, high=4, default=1.0)
    equaliser: float = key(low=0, high=40, default=0.0)
    prompt: str = key()
    more_prompts: list[str] = key()
    vocabulary: str | None = key()
    one_kind: float = key(low=0, high=1)
    caption: str = key()
    captioned: bool = key()
    num_phrases: int = key(low=1)
    num_workers: int = key(low=0)
    timeout: float = key(low=0, default=300.0)
    max_skipped: float = key(low=0, high=1, default=0.2)
    valid_items: int = key(low=1)
    test_items: int = key(low=1)
    test_n_src: list[int] = key(low=1)


@dataclass
class Query:
    encoder: str = key()
    clap: str = key()
    bert: str = key()
    clip: str = key()
    clip_image: str = key()
    resnet: str = key()
    test_encoder: str | None = key()
    outputs: str = key(choices=("sources", "mixtures"))
    captions: str = key(choices=("whole", "mean"), default="whole")


@dataclass
class Scorer:
    name: str = key()
    chunk_size: int | None = key(low=1)
    logit_scale: float | None = key(above=0)
    equal_above: float = key(above=0, high=1)
    against_captions: bool = key()
    noise_floor: float = key(low=0)
    gather: bool = key(default=True)


@dataclass
class Filterbank:
    n_fft: int = key(low=2)
    hop_length: int = key(low=1)


@dataclass
class Masker:
    out_dim: int = key(low=1)
    num_downs: int = key(low=5)
    ngf: int = key(low=1)
    num_res_layers: int = key(low=1)
    num_cond_blocks: int = key(low=1)
    num_heads: int = key(low=1)
    cond_layer: str = key(choices=COND_LAYERS)
    head_scale: float = key(above=0, default=1.0)


@dataclass
class SoundUNet:
    out_dim: int = key(low=1)
    num_downs: int = key(low=1)
    ngf: int = key(low=1)
    log_freq_bins: int | None = key(low=1)
    num_noise: int = key(low=0)
    on_magnitudes: bool = key()


@dataclass
class FilmResUNet:
    num_downs: int = key(low=1)
    ngf: int = key(low=1)
    film_dim: int = key(low=1)


@dataclass
class ResUNet30:
    num_downs: int = key(low=1)
    ngf: int = key(low=1)


@dataclass
class Timbre:
    channels: int = key(low=1)
    num_layers: int = key(low=1)
    steps: int = key(low=1)
    peak_lr: float = key(above=0)


@dataclass
class Term:
    """A term of the loss."""

    weight: float = key(low=0, default=0.0)
    start: int = key(low=0, default=0)


@dataclass
class Remix:
    start: int | None = key(low=0, default=None)
    weight: float = key(above=0, default=5.0)
    distance: str = key(choices=tuple(DISTANCES), default="l2")


@dataclass
class Optim:
    optimizer: str = key(choices=OPTIMIZERS)
    lr: float = key(low=0, formerly=("learning_rate",))
    weight_decay: float = key(low=0)
    schedule: str = key(choices=("step", "cosine", "plateau", "none"))
    step_epochs: int = key(low=1)
    warmup_steps: int = key(low=0, default=0)


@dataclass
class Training:
    init: str | None = key()
    epochs: int = key(low=1)
    batch_size: int = key(low=1)
    max_minutes: float | None = key(above=0)
    checkpoint_minutes: float | None = key(low=0)
    patience: int | None = key(low=1)
    gradient_clipping: float | None = key(low=0)
    ema: float | None = key(above=0, high=0.9999, default=None)
    accumulate: int = key(low=1)
    max_bad_steps: int = key(low=1, default=10)
    normalise: bool = key()
    distance: str = key(choices=tuple(DISTANCES), default="l1")
    single_distance: str | None = key(choices=tuple(DISTANCES), default=None)
    precision: str = key(choices=PRECISIONS, near=_NEAR_PRECISIONS)
    checkpoint_activations: bool = key(default=False)
    accelerator: str = key(choices=("auto", "cpu", "gpu", "cuda", "mps"))
    devices: str = key()
    num_nodes: int = key(low=1)
    sync_batchnorm: bool = key(default=True)
    limit_val_batches: int | float | None = key(above=0)
    logger: str = key(choices=tuple(LOGGERS))


@dataclass
class Config:
    """The whole configuration."""

    system: str = key()
    separator: str = key(choices=SEPARATORS)
    seed: int = key(low=0)
    data: Data = field(default_factory=Data)
    query: Query = field(default_factory=Query)
    scorer: Scorer = field(default_factory=Scorer)
    filterbank: Filterbank = field(default_factory=Filterbank)
    input_level: float | None = key(above=0)
    masker: Masker = field(default_factory=Masker)
    light_unet: Masker = field(default_factory=Masker)
    sound_unet: SoundUNet = field(default_factory=SoundUNet)
    film_resunet: FilmResUNet = field(default_factory=FilmResUNet)
    res_unet30: ResUNet30 = field(default_factory=ResUNet30)
    timbre: Timbre = field(default_factory=Timbre)
    loss: dict[str, Term] = key(names=TERMS, short="weight")
    remix: Remix = field(default_factory=Remix)
    optim: Optim = field(default_factory=Optim)
    training: Training = field(default_factory=Training)


def check(conf: Config) -> None:
    """Raises `ValueError` where values that are possible alone do not fit together."""
    for find in (_sources, _heads, _noise_heads, _losses, _remixing, _epoch, _devices, _logger):
        if problem := find(conf):
            raise ValueError(problem)


def _sources(conf: Config) -> str | None:
    most = conf.data.max_n_src
    if most is None or conf.data.n_src <= most:
        return None
    return (
        f"The system {conf.system} takes an --n_src of at most {most}; received {conf.data.n_src}. "
        "Choose another system for mixtures of more sources."
    )


def _heads(conf: Config) -> str | None:
    section = {"bimodal_unet": "masker", "light_bimodal_unet": "light_unet"}.get(conf.separator)
    if section is None:
        return None
    masker: Masker = getattr(conf, section)
    width, heads = 8 * masker.ngf, masker.num_heads
    if masker.cond_layer not in ("sca", "ca", "sa") or width % heads == 0:
        return None
    nearest = min((n for n in range(1, width + 1) if width % n == 0), key=lambda n: abs(n - heads))
    return (
        f"{section}.num_heads must divide the {width} channels of the inner levels (8 · "
        f"{section}.ngf); received {heads} (nearest: {nearest})."
    )


def _noise_heads(conf: Config) -> str | None:
    heads, wanted = conf.sound_unet.num_noise, conf.data.n_mix
    if "nit" not in conf.loss or (conf.separator == "clipsep" and heads == wanted):
        return None
    return (
        f"The loss term nit needs the separator clipsep with {wanted} noise heads "
        f"(sound_unet.num_noise), one for each mixture; received {conf.separator} with {heads}."
    )


def _losses(conf: Config) -> str | None:
    if any(term.start == 0 for term in conf.loss.values()):
        return None
    starts = {name: term.start for name, term in conf.loss.items()}
    return f"No loss term counts from the first step: give one a weight and the start 0. {starts}"


def _remixing(conf: Config) -> str | None:
    adds_up = "crl" in conf.loss or "consistency" in conf.loss
    if conf.remix.start is None or (adds_up and not conf.data.clean.share):
        return None
    return (
        "remix.start is for systems whose phrases share mixtures (loss.crl, loss.consistency), "
        f"without single sources; received {conf.system} with the terms {', '.join(conf.loss)} "
        f"and a data.clean.share of {conf.data.clean.share}."
    )


def _epoch(conf: Config) -> str | None:
    if conf.data.epoch_size >= conf.training.batch_size:
        return None
    return (
        f"An epoch of {conf.data.epoch_size} examples does not fill a batch of "
        f"{conf.training.batch_size}: raise data.epoch_size or lower training.batch_size."
    )


def _devices(conf: Config) -> str | None:
    batch, processes = conf.training.batch_size, count_processes(conf)
    if batch % processes == 0:
        return None
    most = max(n for n in range(1, processes) if batch % n == 0)
    up = -(-batch // processes) * processes
    return (
        f"A batch of {batch} examples cannot be shared by {processes} devices: choose a "
        f"training.batch_size of {up}, or {most} devices with --devices."
    )


def _logger(conf: Config) -> str | None:
    installed = [name for name, (_, package) in LOGGERS.items() if find_spec(package)]
    name = conf.training.logger
    if name in installed:
        return None
    return (
        f"training.logger {name} needs the package {LOGGERS[name][1]}: install it with pip, or "
        f"choose {' or '.join(installed)}."
    )


def count_processes(conf: Config) -> int:
    """Counts the devices, one for each process, that training shares its batches among.

    Args:
        conf: the whole configuration.
    """
    training = conf.training
    return count_devices(training.devices, training.accelerator) * training.num_nodes


def step_examples(conf: Config) -> int:
    """Counts the examples of an optimiser step, on all devices together.

    Args:
        conf: the whole configuration.
    """
    return conf.training.batch_size * conf.training.accumulate


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
        raise ValueError(
            f"training.devices takes a number, GPU ids such as 0,1 or auto; received {devices!r}."
        )
    return len(ids) if "," in devices else int(devices)
