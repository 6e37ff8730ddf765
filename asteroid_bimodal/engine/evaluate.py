"""Evaluating an experiment on a pinned list: rows, summary and examples to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm import tqdm

from ..data.batches import Skipped
from ..data.datasets import EvaluationItem, PinnedMixtures
from ..metrics import evaluate_item
from .answers import separate_items


@dataclass(frozen=True)
class SeparatedItem:
    """A test item and what the model made of it: estimates (K, T)."""

    item: EvaluationItem
    estimates: Tensor


@dataclass
class Evaluation:
    """What came out of a test list.

    Attributes:
        rows: one per item and source.
        skipped: sources that could not be read; their items are not scored.
        examples: the first items, to look at and listen to.
    """

    rows: list[dict] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    examples: list[SeparatedItem] = field(default_factory=list)


@torch.inference_mode()
def evaluate(
    model, items: PinnedMixtures, *, scorer=None, num_examples: int = 0, batch_size: int = 8
) -> Evaluation:
    """Separates and scores every mixture of a list.

    Args:
        model: a separator on the device to be used.
        items: the list.
        scorer: embeds estimates and phrases for the CLAP score; None leaves it out.
        num_examples: how many items to keep.
        batch_size: items separated at a time.

    Returns:
        Rows, skipped sources and examples.
    """
    model.eval()
    result = Evaluation()
    for separated in tqdm(
        _separate(model, items, result.skipped, batch_size), total=len(items), desc="evaluating"
    ):
        item = separated.item
        rows = evaluate_item(
            separated.estimates,
            item.references,
            item.mixture,
            phrases=item.phrases,
            scorer=scorer,
            sample_rate=model.sample_rate,
        )
        result.rows += [
            {"item": item.item, "label": label, **row}
            for label, row in zip(item.labels, rows, strict=True)
        ]
        if len(result.examples) < num_examples:
            result.examples.append(separated)
    return result


def _separate(
    model, items: PinnedMixtures, skipped: list[Skipped], batch_size: int
) -> Iterator[SeparatedItem]:
    for batch in _batches((items[index] for index in range(len(items))), skipped, batch_size):
        estimates = separate_items(model, batch)
        yield from map(SeparatedItem, batch, estimates)


def _batches(
    items: Iterable[EvaluationItem], skipped: list[Skipped], size: int
) -> Iterator[list[EvaluationItem]]:
    """Groups usable items, noting the others."""
    batch: list[EvaluationItem] = []
    for item in items:
        skipped.extend(item.skipped)
        if item.mixture is not None:
            batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
