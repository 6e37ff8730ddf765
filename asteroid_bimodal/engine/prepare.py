"""Stages 0 to 2 of the recipes: getting the data, pinned lists, and frozen embeddings."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, combinations, permutations, product
from pathlib import Path

import torch
from tqdm import tqdm

from ..data.batches import Skipped
from ..data.captioned import named_sounds, phrases_of
from ..data.manifest import Clip, read_manifest
from ..data.pinned import PinnedMixture, draw_test_list, write_test_list
from ..queries import QueryEncoder, mixture_caption, phrase_prompt
from ..queries.embedding import EmbeddingCache
from ..queries.vocabulary import read_vocabulary
from .build import TIMBRE, build_query_encoder, classifier_path, embeddings_path, encoder_spec
from .loaders import is_captioned, labels_of
from .schema import Config
from .timbre import train_classifier

MOST_TEXTS = 100_000  # where there are more captions, none is embedded before it is drawn
_TEXTS_AT_A_TIME = 256
_SPARE = 2  # items drawn for each that is kept, where some name the same sound twice


def download_set(conf: Config, name: str) -> None:
    """Takes in what is there of a full set, fetches the rest, and writes the manifests.

    Both may change from run to run: what failed is tried again. Where the rest cannot be fetched,
    for want of a network for example, no more than `data.max_skipped` of the clips may be missing.

    Args:
        conf: the whole configuration.
        name: music, vggsound or audiocaps.

    Raises:
        FileNotFoundError: when there is nothing.
        DownloadStoppedError: when downloading had to stop and too much is missing; the manifests
            are written, unless the disk is full.
    """
    from ..data.download import (
        DownloadStoppedError,
        FetchOptions,
        download,
        read_set,
        write_manifests,
    )

    data, root = conf.data, Path(conf.data.root)
    # The seed of a training run must not move clips between splits: all runs share the test list.
    listing = read_set(name, root)
    print(listing)
    options = FetchOptions(sample_rate=data.sample_rate)
    stopped = None
    try:
        summary = download(listing.entries, root, options=options, frames=data.frames)
    except DownloadStoppedError as error:
        if error.summary is None:
            raise
        summary, stopped = error.summary, error
    write_manifests(root)
    print(summary)
    if stopped and not summary.ok:
        raise stopped
    if stopped and summary.missing > data.max_skipped:
        raise DownloadStoppedError(
            f"{stopped} More than {100 * data.max_skipped:g} % (data.max_skipped) are missing; the "
            "manifests are of those that are there, and --stage 1 goes on with them."
        )
    if stopped:
        print(f"Warning: {stopped}", file=sys.stderr)
    if not summary.ok:
        raise FileNotFoundError(
            f"None of the clips of {data.name} could be fetched; {root}/download.csv says why. The "
            "miniature (--data mini) needs no download."
        )
    if summary.failed:
        print("This stage, run again, tries the failed ones once more.")


def draw_lists(conf: Config) -> None:
    """Draws the lists of validation and test mixtures that are missing, `<root>/lists/`.

    The manifests are there already: they come with the data.
    """
    lists = Path(conf.data.root) / "lists"
    for split, counts in (("valid", [2]), ("test", conf.data.test_n_src)):
        for n_src in counts:
            if not list(lists.glob(f"{split}_{n_src}src_*.csv")):
                mixtures = _draw(conf, split, n_src)
                print(write_test_list(lists, f"{split}_{n_src}src_seed0", mixtures))


def _draw(conf: Config, split: str, n_src: int) -> list[PinnedMixture]:
    data, root = conf.data, Path(conf.data.root)
    clips = read_manifest(root / f"{split}.csv")
    wanted = data.valid_items if split == "valid" else data.test_items
    captioned = is_captioned(conf)
    usable, unnamed = _by_caption(clips) if captioned else (clips, [])
    drawn = draw_test_list(
        usable,
        root,
        num_items=_SPARE * wanted if captioned else wanted,
        num_sources=n_src,
        sample_rate=data.sample_rate,
        num_samples=data.eval_samples,
        seed=0,
        center_crop=data.centred,
        passed_over=unnamed,
    )
    reasons = {clip.path: clip.reason for clip in drawn.skipped}
    for reason in reasons.values():
        print(f"Passed over: {reason}")
    if reasons:
        print(f"{len(reasons)} of the {len(clips)} clips of {split}.csv were passed over.")
    distinct = [m for m in drawn.mixtures if not captioned or _are_distinct(m)]
    if len(distinct) < wanted:
        raise ValueError(
            f"Expected {wanted} {split} mixtures of clips that name different sounds, found "
            f"{len(distinct)}. Lower --data.{split}_items or add clips."
        )
    return [replace(mixture, item=item) for item, mixture in enumerate(distinct[:wanted])]


def _by_caption(clips: Sequence[Clip]) -> tuple[list[Clip], list[Skipped]]:
    """Clips labelled by their captions, by which a test asks for each; and those not usable so."""
    usable, skipped = [], []
    for clip in clips:
        try:
            named_sounds(clip.caption)
            usable.append(replace(clip, label=clip.caption))
        except ValueError as error:  # the caption names no sound
            skipped.append(Skipped(clip.path, f"{clip.path}: {error}"))
    return usable, skipped


def _are_distinct(mixture: PinnedMixture) -> bool:
    """Whether no sound is named by two captions of a mixture."""
    sounds = [named_sounds(source.label) for source in mixture.sources]
    return not any(first & second for first, second in combinations(sounds, 2))


def embed_texts(conf: Config) -> None:
    """Embeds the texts that training can ask for.

    Systems that listen with a frozen classifier of timbres get it here, too.
    """
    # Frames are embedded when they are first drawn, and one-hot queries need not be kept.
    if conf.query.encoder != "label" and encoder_spec(conf).encoder_class.modality == "text":
        _embed(conf)
    path = classifier_path(conf)
    if TIMBRE in conf.loss and not path.exists():
        train_classifier(conf).save(path)
        print(f"timbre classifier trained: {path}")


def _embed(conf: Config) -> None:
    """Writes `<root>/embeddings/<fingerprint>.safetensors`, which training reads."""
    texts = dict.fromkeys(_natural_texts(conf) if is_captioned(conf) else _made_texts(conf))
    encoder = build_query_encoder(conf)
    path, fingerprint = embeddings_path(conf, encoder), encoder.fingerprint
    missing = [text for text in texts if encoder.cache.get(text) is None]
    stored = EmbeddingCache(len(encoder.cache) + len(texts) + 1)  # with those of other runs
    for text, item in encoder.cache.items():
        stored.put(text, item)
    try:
        _embed_into(stored, missing, encoder)
    finally:  # what a stopped run has embedded stays, too
        if len(stored) and (missing or not path.exists()):
            stored.save(path, fingerprint)
    print(f"{len(missing)} texts embedded, {len(stored)} in {path}")


def _embed_into(stored: EmbeddingCache, texts: Sequence[str], encoder: QueryEncoder) -> None:
    if texts and torch.cuda.is_available():
        encoder = encoder.to("cuda")
    with tqdm(total=len(texts), desc="embedding", unit="text", disable=None) as bar:
        for start in range(0, len(texts), _TEXTS_AT_A_TIME):
            part = texts[start : start + _TEXTS_AT_A_TIME]
            for text, item in zip(part, encoder.encode(list(part)), strict=True):
                stored.put(text, item)
            bar.update(len(part))


def _made_texts(conf: Config) -> Iterator[str]:
    """Prompts of all labels, and captions of mixtures of them."""
    data, labels = conf.data, labels_of(conf)
    vocabulary = read_vocabulary(data.vocabulary) if data.vocabulary else None
    for label in labels:
        words = [label] if vocabulary is None else vocabulary.words(label)
        prompts = [data.prompt, *data.more_prompts]
        yield from (phrase_prompt(word, prompt) for word, prompt in product(words, prompts))
    if data.n_src > 1 and _are_few(math.perm(len(labels), data.n_src)):
        groups = permutations(labels, data.n_src)
        yield from (mixture_caption(list(group), data.caption) for group in groups)


def _natural_texts(conf: Config) -> Iterable[str]:
    """Captions of the training clips, and their phrases."""
    clips = read_manifest(Path(conf.data.root) / "train.csv")
    captions = dict.fromkeys(clip.caption for clip in clips if clip.caption)
    texts = dict.fromkeys(
        chain.from_iterable((caption, *phrases_of(caption)) for caption in captions)
    )
    return texts if _are_few(len(texts)) else ()


def _are_few(count: int) -> bool:
    """Whether so many captions are embedded here; says so if not."""
    if count > MOST_TEXTS:
        print(f"{count:,} captions are more than {MOST_TEXTS:,}: embedded when they are drawn.")
    return count <= MOST_TEXTS
