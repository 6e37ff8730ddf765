"""Evaluating an experiment on a pinned list: rows, summary and examples to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..data.batches import Skipped, UnusableClipsError
from ..data.datasets import EvaluationItem, PinnedMixtures
from ..dsp.resample import resample
from ..metrics import match_outputs, summarise
from ..metrics.items import ItemSignals, clap_scores
from ..metrics.pool import ScoringPool


@dataclass(frozen=True)
class SeparatedItem:
    """A test item and what the model made of it: estimates (K, T)."""

    item: EvaluationItem
    estimates: Tensor


@dataclass
class Evaluation:
    """What came out of a test list.

    Attributes:
        list_name: file name of the list, with its digest.
        num_items: how many items of it were asked for.
        rows: one per item and source.
        missing: numbers of the items that could not be scored.
        skipped: the sources that are to blame.
        examples: the first items, to look at and listen to.
    """

    list_name: str = ""
    num_items: int = 0
    rows: list[dict] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    examples: list[SeparatedItem] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Averages over the items that are there, and says which list it was and what is missing.

        Returns:
            The figures of `metrics.summarise`, `test_list` and, of the `list`, its `name`, how many
            `items` it has, how many are `missing`, and the numbers of these, `missing_items`.
        """
        skipped = [{"item": skip.path, "reason": skip.reason} for skip in self.skipped]
        return summarise(self.rows, skipped) | {
            "test_list": self.list_name,
            "list": {
                "name": self.list_name,
                "items": self.num_items,
                "missing": len(self.missing),
                "missing_items": self.missing,
            },
        }


@torch.inference_mode()
def evaluate(
    model,
    items: PinnedMixtures,
    *,
    scorer=None,
    share: bool = False,
    num_examples: int = 0,
    batch_size: int = 8,
    max_skipped: float = 0.2,
    num_workers: int = 0,
    timeout: float = 300.0,
) -> Evaluation:
    """Separates and scores every mixture of a list.

    Args:
        model: a separator on the device to be used; its rate may be another than the list's.
        items: the list.
        scorer: embeds estimates and phrases for the CLAP score; None leaves it out.
        share: whether the phrases of a mixture share it among them: they name all that sounds.
        num_examples: how many items to keep.
        batch_size: items separated at a time.
        max_skipped: share of the list that may be unusable.
        num_workers: processes that score items while others are separated, and one that reads
            them; 0 does everything in turn, with the same result.
        timeout: seconds to wait for an item of a worker, 0 for ever.

    Returns:
        Rows, what is missing, and examples.

    Raises:
        UnusableClipsError: when more items cannot be read than `max_skipped` allows, or all.
    """
    model.eval()
    result = Evaluation(items.name, len(items))
    loader = DataLoader(
        items,
        batch_size=None,
        num_workers=min(1, num_workers),
        timeout=timeout if num_workers else 0,
    )
    most = max_skipped * len(items)
    rate, progress = items.sample_rate, tqdm(total=len(items), desc="evaluating", disable=None)
    with progress, ScoringPool(num_workers, rate) as pool:
        batches = _separate(model, _batches(loader, result, batch_size, most), rate, share)
        for separated, rows in pool.score(_with_signals(batches, scorer, rate)):
            for one, item_rows in zip(separated, rows, strict=True):
                result.rows += [
                    {"item": one.item.item, "label": label, **row}
                    for label, row in zip(one.item.labels, item_rows, strict=True)
                ]
            progress.update(len(separated))
            result.examples += separated[: num_examples - len(result.examples)]
    missing = len(result.missing)
    if missing > most or not result.rows:
        reason = f" Last problem: {result.skipped[-1].reason}" if result.skipped else ""
        raise UnusableClipsError(
            f"{missing} of the {len(items)} items of {items.name} cannot be scored; "
            f"data.max_skipped allows {max_skipped:.0%}.{reason}",
            result.skipped,
        )
    return result


def separate_items(
    model,
    items: Sequence[EvaluationItem],
    sample_rate: float | None = None,
    *,
    share: bool = False,
) -> list[Tensor]:
    """Separates test mixtures of one length: (K, T) for each, in the order of its sources.

    The outputs of a blind separator, whose order means nothing, are matched to the references.
    Mixtures are at `sample_rate`, by default the model's; `share` as for `evaluate`.
    """
    wavs = torch.stack([item.mixture for item in items]).to(model.device)
    encoder, length = model.query_encoder, wavs.shape[-1]
    rates = (sample_rate, model.sample_rate) if sample_rate else (1, 1)
    queries = [encoder.item_queries(item) for item in items]
    separate = partial(model, share=True) if share else model
    estimates = separate(resample(wavs, *rates), queries)
    estimates = resample(estimates.float(), *rates[::-1], length=length).cpu()
    if encoder.modality != "output":
        return list(estimates)
    pairs = zip(estimates, items, strict=True)
    return [match_outputs(outputs, item.references) for outputs, item in pairs]


def _separate(
    model, batches: Iterable[list[EvaluationItem]], sample_rate: float, share: bool
) -> Iterator[list[SeparatedItem]]:
    for batch in batches:
        estimates = separate_items(model, batch, sample_rate, share=share)
        yield [SeparatedItem(*pair) for pair in zip(batch, estimates, strict=True)]


def _with_signals(
    batches: Iterable[list[SeparatedItem]], scorer, sample_rate: int
) -> Iterator[tuple[list[SeparatedItem], list[tuple[ItemSignals, np.ndarray | None]]]]:
    """Adds what is scored, and the cosines, which the scorer's device computes."""
    for batch in batches:
        signals = [
            ItemSignals.of(one.estimates, one.item.references, one.item.mixture, one.item.phrases)
            for one in batch
        ]
        cosines = [
            None if scorer is None else clap_scores(one, scorer, sample_rate) for one in signals
        ]
        yield batch, list(zip(signals, cosines, strict=True))


def _batches(
    items: Iterable[EvaluationItem], result: Evaluation, size: int, most: float
) -> Iterator[list[EvaluationItem]]:
    """Groups usable items, noting the others; where these are more than `most`, gives no more."""
    batch: list[EvaluationItem] = []
    for item in items:
        if item.mixture is None:
            result.missing.append(item.item)
            result.skipped.extend(item.skipped)
        else:
            batch.append(item)
        if len(batch) == size and len(result.missing) <= most:
            yield batch
            batch = []
    if batch and len(result.missing) <= most:
        yield batch
