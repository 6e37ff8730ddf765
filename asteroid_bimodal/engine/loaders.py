"""The data sets of a configuration: training mixtures and pinned test mixtures."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, IterableDataset

from ..data.batches import collate, collate_pairs
from ..data.captioned import CaptionedBuilder, CaptionedMixtures
from ..data.datasets import LabelledMixtures, PinnedMixtures, SemiSupervised
from ..data.loader import ExampleLoader, OwnItems
from ..data.manifest import by_label, read_manifest, take_share
from ..data.mixture_builder import MixtureBuilder
from ..data.sharded import ExampleBuilder, ShardedMixtures, ShardedPairs
from ..data.shards import is_address
from ..data.video_id import video_id
from ..queries.vocabulary import Vocabulary, read_vocabulary
from .schema import Config, count_processes

_VALID_BATCH = 8


def labels_of(conf: Config) -> list[str]:
    """Lists the classes of the training set; clips with captions alone have none."""
    return [label for label in by_label(read_manifest(Path(conf.data.root) / "train.csv")) if label]


def vocabulary_of(conf: Config) -> dict[str, dict[str, list[str]]] | None:
    """The labels of the training set with the other words of `data.vocabulary`, by kind.

    None of a set with natural captions, which name all sorts of sounds.
    """
    if is_captioned(conf) or not (labels := labels_of(conf)):
        return None
    known = read_vocabulary(conf.data.vocabulary) if conf.data.vocabulary else Vocabulary({})
    return known.of(labels).to_dict()


def is_captioned(conf: Config) -> bool:
    """Says whether the clips of the data set have natural captions instead of labels."""
    return conf.data.captioned


def build_train_loader(conf: Config) -> ExampleLoader:
    """Builds the loader of training mixtures, of one process's share of each batch.

    Raises:
        ValueError: when only one of two data sets comes from shards.
    """
    data, clean = conf.data, conf.data.clean
    dataset: Dataset
    if clean.share:
        other = clean.root and Path(clean.root).resolve() != Path(data.root).resolve()
        if other and bool(data.shards) != bool(clean.shards):
            raise ValueError(
                "Expected shards of both sets or of none: give data.shards and data.clean.shards."
            )
        # Of the same recordings, what serves as single sources is in no mixture.
        begin = 0.0 if other else clean.share
        mixed = _build_mixed(conf, (begin, data.share))
        # Of another data set, what this one validates and tests with is not learned from.
        held_out = _held_out(Path(data.root)) if other else ()
        singles = build_mixtures(
            conf,
            clean.root or data.root,
            1,
            (0.0, clean.share),
            conf.seed + 1,
            held_out,
            shards=clean.shards if other else data.shards,
        )
        pairs: Any = ShardedPairs if data.shards else SemiSupervised
        dataset, stack = pairs(mixed, singles), collate_pairs
    else:
        dataset, stack = _build_mixed(conf, (0.0, data.share)), collate
    return ExampleLoader(
        dataset,
        batch_size=_share(conf),
        # In the order of one process; Lightning's own sampler would draw another.
        sampler=None if isinstance(dataset, IterableDataset) else OwnItems(dataset),
        collate_fn=stack,
        num_workers=data.num_workers,
        timeout=data.timeout,
        drop_last=True,
        pin_memory=torch.cuda.is_available() and conf.training.accelerator != "cpu",
    )


def _share(conf: Config) -> int:
    return conf.training.batch_size // count_processes(conf)


def _whole_batches(conf: Config) -> int:
    """Examples of an epoch, as many for any number of processes."""
    return conf.data.epoch_size // conf.training.batch_size * conf.training.batch_size


def _held_out(root: Path) -> set[str]:
    """The videos of a data set that are not for training."""
    manifests = [root / f"{split}.csv" for split in ("valid", "test")]
    clips = [clip for path in manifests if path.is_file() for clip in read_manifest(path)]
    return {video_id(clip.path) for clip in clips}


def _build_mixed(conf: Config, share: tuple[float, float]) -> Dataset:
    """Builds the natural mixtures of the data set: of labelled clips, or clips with captions."""
    data = conf.data
    if not is_captioned(conf):
        return build_mixtures(conf, data.root, data.n_src, share, conf.seed, shards=data.shards)
    if data.frames or (data.clean.share and not data.clean.root):
        raise ValueError(
            "Expected no data.frames with natural captions, and single sources of another set with "
            "labels, such as VGGSound: set data.clean.root to its folder."
        )
    if data.speed != 1 or data.equaliser:
        raise ValueError("Expected no data.speed and no data.equaliser with natural captions.")
    builder = {
        "sample_rate": data.sample_rate,
        "num_samples": data.num_samples,
        "num_phrases": data.num_phrases,
        "num_mixtures": data.n_mix,
        "gain": tuple(data.gain),
        "num_absent": data.num_absent,
    }
    if data.shards:
        source = _Shards(data.root, data.shards, share)
        return source.build(conf, CaptionedBuilder(**builder), conf.seed)
    return CaptionedMixtures(
        Path(data.root) / "train.csv",
        epoch_size=_whole_batches(conf),
        share=share,
        seed=conf.seed,
        **builder,
    )


def build_mixtures(
    conf: Config,
    root: str,
    n_src: int,
    share: tuple[float, float],
    seed: int,
    without: Collection[str] = (),
    shards: str | None = None,
) -> LabelledMixtures | ShardedMixtures:
    """Builds the training mixtures of a data set, from its files or from shards.

    Args:
        conf: the whole configuration.
        root: folder of the data set.
        n_src: sources per mixture.
        share: part of each label's clips to use.
        seed: of the draws.
        without: videos whose files are not used.
        shards: pattern of the tar files, None for files.
    """
    data = conf.data
    builder = {
        "sample_rate": data.sample_rate,
        "num_samples": data.num_samples,
        "num_sources": n_src,
        "num_mixtures": data.n_mix,
        "gain": tuple(data.gain),
        "prompt": [data.prompt, *data.more_prompts],
        "vocabulary": read_vocabulary(data.vocabulary) if data.vocabulary else None,
        "one_kind": data.one_kind,
        "caption": data.caption,
        "num_absent": data.num_absent,
        "center_crop": data.centred,
        "frames": data.frames,
        "speed": data.speed,
        "equaliser": data.equaliser,
    }
    if shards:
        return _Shards(root, shards, share, without).build(conf, MixtureBuilder(**builder), seed)
    return LabelledMixtures(
        Path(root) / "train.csv",
        epoch_size=_whole_batches(conf),
        share=share,
        without=without,
        seed=seed,
        **builder,
    )


@dataclass(frozen=True)
class _Shards:
    """Shards of a data set, and which clips of them are used: `share` and `without` as of files."""

    root: str
    pattern: str
    share: tuple[float, float]
    without: Collection[str] = ()

    def build(self, conf: Config, builder: ExampleBuilder, seed: int) -> ShardedMixtures:
        """Builds the training mixtures."""
        pattern, only = self.pattern, None
        if not is_address(pattern):
            pattern = str(Path(self.root).absolute() / pattern)
        if self.without or self.share != (0.0, 1.0):
            clips = read_manifest(Path(self.root) / "train.csv")
            clips = [clip for clip in clips if video_id(clip.path) not in self.without]
            only = {clip.path for clip in take_share(clips, self.share)}
        return ShardedMixtures(
            pattern,
            builder=builder,
            only=only,
            epoch_size=_whole_batches(conf),
            batch_size=_share(conf),
            seed=seed,
        )


def build_valid_loader(conf: Config) -> ExampleLoader:
    """Builds the loader of the validation list, read by a worker, which can be waited for."""
    items, limit = build_test_set(conf, "valid", 2), conf.training.limit_val_batches
    if limit is not None:
        share = isinstance(limit, float)
        items.items = items.items[
            : math.ceil(limit * len(items)) if share else _VALID_BATCH * limit
        ]
    return ExampleLoader(
        items,
        batch_size=_VALID_BATCH,
        sampler=OwnItems(items),
        collate_fn=list,
        num_workers=min(1, conf.data.num_workers),
        timeout=conf.data.timeout,
    )


def build_test_set(
    conf: Config, split: str, n_src: int, limit: int | None = None
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
    pictures = conf.data.frames and not conf.query.test_encoder
    return PinnedMixtures(
        find_test_list(root, split, n_src),
        root,
        sample_rate=conf.data.sample_rate,
        num_samples=conf.data.eval_samples,
        prompt="{}" if is_captioned(conf) else conf.data.prompt,
        frames=pictures,
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
        remedy = "Keep the one that you mean." if found else "Run stage 1."
        raise FileNotFoundError(
            f"Expected one list {root}/lists/{split}_{n_src}src_*.csv, found {len(found)}. {remedy}"
        )
    return found[0]
