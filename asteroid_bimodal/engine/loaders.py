"""The data sets of a configuration: training mixtures and pinned test mixtures."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from torch.utils.data import DataLoader

from ..data.batches import collate, collate_pairs
from ..data.datasets import LabelledMixtures, PinnedMixtures, SemiSupervised
from ..data.manifest import by_label, read_manifest


def labels_of(conf: DictConfig) -> list[str]:
    """Lists the classes of the training set.

    Args:
        conf: the whole configuration.
    """
    return list(by_label(read_manifest(Path(conf.data.root) / "train.csv")))


def build_train_loader(conf: DictConfig) -> DataLoader:
    """Builds the loader of training mixtures.

    Args:
        conf: the whole configuration.
    """
    data, clean = conf.data, conf.data.clean
    if clean.share:
        # Of the same recordings, what serves as single sources is in no mixture.
        begin = 0.0 if clean.root else clean.share
        mixed = build_mixtures(conf, data.root, data.n_src, (begin, data.share), conf.seed)
        singles = build_mixtures(
            conf, clean.root or data.root, 1, (0.0, clean.share), conf.seed + 1
        )
        dataset, stack = SemiSupervised(mixed, singles), collate_pairs
    else:
        dataset = build_mixtures(conf, data.root, data.n_src, (0.0, data.share), conf.seed)
        stack = collate
    return DataLoader(
        dataset,
        batch_size=conf.training.batch_size,
        collate_fn=stack,
        num_workers=data.num_workers,
        drop_last=True,
    )


def build_mixtures(
    conf: DictConfig, root: str, n_src: int, share: tuple[float, float], seed: int
) -> LabelledMixtures:
    """Builds the training mixtures of a data set.

    Args:
        conf: the whole configuration.
        root: folder of the data set.
        n_src: sources per mixture.
        share: part of each label's clips to use.
        seed: of the draws.
    """
    data = conf.data
    return LabelledMixtures(
        Path(root) / "train.csv",
        sample_rate=data.sample_rate,
        num_samples=data.num_samples,
        num_sources=n_src,
        num_mixtures=data.n_mix,
        epoch_size=data.epoch_size,
        gain=tuple(data.gain),
        prompt=[data.prompt, *data.more_prompts],
        caption=data.caption,
        share=share,
        num_absent=data.num_absent,
        frames=data.frames,
        seed=seed,
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
    # Experiments of earlier versions have no such keys.
    pictures = conf.data.get("frames") and not conf.query.get("test_encoder")
    return PinnedMixtures(
        find_test_list(root, split, n_src),
        root,
        sample_rate=conf.data.sample_rate,
        num_samples=conf.data.eval_samples,
        prompt=conf.data.prompt,
        frames=bool(pictures),
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
