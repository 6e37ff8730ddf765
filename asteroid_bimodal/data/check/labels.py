"""Labels that look like misspellings of others, and labels that are never trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from ..manifest import Clip
from .report import Finding

SHORTEST = 5  # letters; shorter labels may differ by one and be two ("lion", "loon")


def check_labels(splits: Mapping[str, Sequence[Clip]]) -> Iterator[Finding]:
    """Checks the labels of all splits."""
    counts = Counter(clip.label for clips in splits.values() for clip in clips if clip.label)
    for one, other in combinations(sorted(counts), 2):
        if are_similar(one, other):
            rare, frequent = sorted((one, other), key=lambda label: counts[label])
            detail = f"{counts[rare]} of it; the label {frequent!r} has {counts[frequent]}"
            yield Finding("similar labels", repr(rare), detail)
    trained = {clip.label for clip in splits.get("train", ())}
    for split, clips in splits.items():
        unseen = Counter(clip.label for clip in clips if clip.label not in trained)
        if "train" in splits:
            for label, count in sorted(unseen.items()):
                yield Finding("label not in train", f"{split}.csv, {label!r}", f"{count} of it")


def are_similar(one: str, other: str) -> bool:
    """Tells whether two different labels are probably meant to be one."""
    # Then they differ in case, spaces or punctuation alone, or by one letter that is replaced,
    # missing or swapped with its neighbour. Numbers count: "drum 1" is not "drum 2".
    one, other = (
        " ".join(re.findall(r"\w+", text.replace("_", " ").casefold())) for text in (one, other)
    )
    if one.replace(" ", "") == other.replace(" ", ""):
        return True
    if min(len(one), len(other)) < SHORTEST or abs(len(one) - len(other)) > 1:
        return False
    start = _common(one, other)
    end = min(_common(one[::-1], other[::-1]), min(len(one), len(other)) - start)
    here, there = one[start : len(one) - end], other[start : len(other) - end]
    if any(letter.isdigit() for letter in here + there):
        return False
    swapped = len(here) == 2 and here == there[::-1]
    return swapped or max(len(here), len(there)) <= 1


def _common(one: str, other: str) -> int:
    """The number of equal letters at the beginning."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
